"""The page's words in simplified Chinese; the same keys as in English."""

from typing import Final

CHINESE: Final = {
    "title": "一张图片，两个模型",
    "introduction": "把一张图片交给两个小型图像分类器，看看它们各说什么、有多大把握、看的是哪里、用了多少时间。",
    "tab_compare": "对比",
    "tab_batch": "批量",
    "tab_imagenet": "ImageNet 分类",
    "tab_models": "模型",
    "tab_about": "关于",
    "picture": "图片",
    "picture_alt": "正在分类的图片",
    "drop_here": "把图片拖到这里\n或点击选择",
    "examples": "或者试试这些：一张照片和两幅画",
    "compare": "对比",
    "first_model": "第一个模型",
    "second_model": "第二个模型",
    "choose": "选择两个模型，或输入模型库中某个模型的 owner/name 并按回车。",
    "choose_trusted": "选择两个模型，或输入模型库中某个模型的 owner/name（或本机文件夹）并按回车。",
    "starting": "正在加载模型……",
    "no_models": (
        "这份演示没有自带模型：model_cards 里没有含 config.json 的文件夹。"
        "请在下面输入模型库中某个模型的名称。"
    ),
    "no_picture": "等待图片：拖入、粘贴、拍摄，或选一个示例。",
    "no_model": "请先选择一个模型。",
    "no_model_yet": "模型正在加载。",
    "no_answer": "两个模型都无法回答。",
    "not_chosen": "请在上面选择一个模型。",
    "not_an_upload": "这不是已上传的图片，请重新选择。",
    "unsure": "没有把握",
    "unlike": "不像它的任何类别",
    "bad_picture": "这张图片无法使用。{problem}。",
    "fetching": "正在从模型库下载 {source}{progress}。可能需要一分钟，页面可以照常使用。",
    "progress": "：{seconds} 秒，{megabytes} MB",
    "unusable": "这个模型无法使用。{reason}。",
    "both_say": "两个模型都说是 {label}。",
    "both_say_but": "两个模型都说是 {label}，但 {model} 没有把握。",
    "both_lean": "两个模型都偏向 {label}，但都没有把握。",
    "disagree": "两个模型意见不一：{left} 说是 {left_label}，{right} 说是 {right_label}。",
    "disagree_but": (
        "两个模型意见不一：{left} 说是 {left_label}，{right} 说是 {right_label}。{model} 没有把握。"
    ),
    "disagree_unsure": (
        "两个模型意见不一：{left} 说是 {left_label}，{right} 说是 {right_label}。两者都没有把握。"
    ),
    "neither": "在 {models} 看来，这不像 {classes}；每个模型只是不得不选一个。",
    "unlike_to": "{verdict}在 {models} 看来，这不像 {classes}。",
    "only_one": "只有一个模型作了回答：{model} 说是 {label}。",
    "one_so_far": "{model} 说是 {label}。另一个模型正在加载。",
    "a_class_of_it": "它的任何一类",
    "and": "{first} 和 {last}",
    "or": "{first} 或 {last}",
    "decode": "解码",
    "preprocess": "预处理",
    "forward": "前向计算",
    "milliseconds": "{number} 毫秒",
    "times": "本机 CPU，{runtime}，线程数 {threads} · 预处理与前向计算：预热后 {passes} 次的中位数 · 解码：一次",
    "times_busy": "本机 CPU，{runtime}，线程数 {threads} · 同时处理多张图片：前向计算为上次空闲时所测 · 解码与预处理：一次",
    "more_classes": "还有 {count} 类",
    "seen_alt": "这个模型看到的部分",
    "show_class": "显示图片的哪些部分支持 {label}",
    "from_picture": "图片",
    "to_map": "热图",
    "blend": "从图片到热图",
    "map_note": "模型看到的画面，以及其中哪些部分支持所选类别：取自同一次前向计算，是该类 logit 的精确构成。",
    "architecture": "架构",
    "parameters": "参数量",
    "size": "权重",
    "megabytes": "{number} MB",
    "pixels": "{architecture}，{side} 像素",
    "accuracy": "准确率",
    "accuracy_of": "{accuracy}，{images} 张图片（{split}）",
    "accuracy_on": "{accuracy}（{split}）",
    "not_measured": "未测量",
    "started_from": "起点",
    "not_stated": "未说明",
    "revision": "版本",
    "notes": (
        "**没有把握**是指最高概率低于 {unsure_below}。**不像它的任何类别**只用于测量过其他图片的模型，"
        "而且会漏掉很多。图片不会保留：一小时内删除，演示停止时也会删除。"
    ),
    "pictures": "图片，或一个 ZIP 压缩包",
    "batch_hint": "一次最多 {count} 张图片。每个模型的回答占一行；不保留任何内容，表格可以下载。",
    "batch_needs": "请选择图片，并至少选择一个模型。",
    "batch_waits": "有一个模型仍在加载，请稍后再开始。",
    "batch_done": "{total} 张中已完成 {done} 张 · 意见不一：{odd} · 无法读取：{bad}",
    "start": "开始",
    "stop": "停止",
    "only_odd": "只看意见不一的",
    "csv": "下载 CSV",
    "model": "模型",
    "label": "类别",
    "probability": "概率",
    "no_answer_of_it": "没有回答",
    "too_many": "图片多于一批的上限，其余未处理",
    "too_much": "图片总大小超过一批的上限，其余未处理",
    "too_large": "文件大于图片的上限",
    "gone": "上传的文件已不在，请重新选择",
    "bad_archive": "不是可读的 ZIP 压缩包",
    "bad_entry": "在压缩包内已损坏",
    "bomb": "解压后远大于自身：不是图片",
    "link": "是链接，不是图片",
    "encrypted": "受密码保护",
    "bad_name": "名称指向压缩包之外",
    "language": "简体中文",
    "imagenet_hint": "用 torchvision 为某个架构提供的 ImageNet-1k 权重看同一张图片：1,000 类中最可能的三类。首次使用时下载。",
    "classify": "分类",
    "models_hint": "模型来自这份演示，或来自模型库的某个固定版本（见表）。内存中最多保留 {count} 个，最久未用的先移出。",
    "model_to_fetch": "模型库中的模型",
    "fetch": "下载",
    "state": "状态",
    "in_memory": "已在内存中",
    "not_loaded": "尚未加载",
    "versions": "软件版本",
    "about": (
        "## 这是什么\n\n"
        "并排比较的小型图像分类器。下面的模型卡片说明它们用什么数据、怎样训练、准确率多少。\n\n"
        "## 局限\n\n"
        "模型只认识自己的类别：给它看别的东西，它仍会选一个，而且可能很有把握。时间是本机此刻的时间。"
        "热图显示一个类别的得分由哪些部分构成，并不说明原因。\n\n"
        "## 隐私\n\n"
        "图片只留在运行演示的机器上，一小时内删除，从不写入日志。模型的回答按文件指纹记住，"
        "以免同一文件重复计算；指纹无法还原成图片。"
    ),
}
