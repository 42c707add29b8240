"""Long posts, written for these tests."""

ZH_POST = (
    "我妹妹下个月要高考，全家都围着她转，我在隔壁房间复习考研，连空调都不敢开大。"
    "妈妈每天给她炖汤，顺手也给我盛一碗，可是她看我的眼神总像在看一件忘了收的衣服。"
    "去年我差了四分，爸爸说没关系，之后就再也没有提过这件事，亲戚问起来他就把话题岔开。"
    "我白天在图书馆坐十个小时，晚上回来背英语，背着背着就开始发呆，想不起来自己为什么要考。"
    "以前的同事已经升了主管，上周在群里发红包，我抢了一块二，然后把群设成了免打扰。"
    "室友说我最近不爱笑了，我说是天气太热。其实我每天都在数日子，又怕日子真的过完。"
    "昨天做真题，错了十一道选择，我把卷子叠起来压在枕头底下，好像看不见就没有错过。"
    "我不知道这样耗下去值不值得，也不敢跟家里说我累，因为妹妹比我更需要安静。"
    "有时候半夜醒来，听见她在背古文，我就躺着跟她一起背，背到一半眼泪就下来了。"
    "我想有人告诉我，我这样不算没用，我也只是想好好睡一觉，第二天还愿意起来。"
)
EN_POST = (
    "My sister has her finals next month and the whole house turns around her. I study in the next room and do not "
    "dare to switch on the fan. My mother brings her soup every night and gives me a bowl as well, but she looks at "
    "me as if I were a coat that somebody forgot to put away. Last year I missed the entrance exam by four points. "
    "My father said it did not matter and has not mentioned it since. I sit in the library for ten hours and in the "
    "evening I learn words until I stare at the wall and cannot remember why I wanted this. The people I used to "
    "work with have moved up. I muted the group. My flatmate says that I do not laugh any more and I told her it was "
    "the heat. Yesterday I got eleven questions wrong and put the paper under my pillow, as if that would undo it. "
    "I do not dare to say that I am tired, because she needs the quiet more than I do. I would like somebody to tell "
    "me that I am not useless. I only want to sleep well for once and still want to get up the next day."
)
POST = "第三次面试又挂了，走到最后一轮才被拒。妈妈打电话来我没敢接，怕她失望。"
CRISIS = "我不想活了，今晚就想结束这一切"
