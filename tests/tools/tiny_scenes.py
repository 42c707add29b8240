"""Scenes of the tiny test model, all written for it: sentences of posts, and what may be said about them."""

from dataclasses import dataclass

from empathy_r1.graph.labels import Locale


@dataclass(frozen=True)
class Scene:
    """One situation: sentences of a post, and what may be said about it."""

    locale: Locale
    post: tuple[str, ...]
    feels: str
    """Keys of emotion labels."""
    felt: str
    causes: tuple[str, ...]
    wants: str
    """Keys of intention labels."""
    wanted: str
    strategy: tuple[str, ...]
    reply: tuple[str, ...]


SCENES = (
    Scene(
        "zh",
        (
            "我已经连着面试了七家公司，每次都说回去等通知，然后就再也没有消息。",
            "爸妈每天晚上都会打电话来问，我越来越不敢接。",
            "同学的朋友圈里都是入职的照片，我看一眼就关掉。",
            "昨天那场面试我准备了整整一个星期，进门的时候手还是抖的。",
            "投出去的简历像石头掉进井里，连个响都没有。",
            "我开始怀疑这四年到底学了什么。",
        ),
        "anxiety self-doubt hurt",
        "一次次没有回音，怕让家里失望",
        ("把每一次没有消息都读成自己不行，又觉得欠了家里一个交代", "努力了很久却得不到回应，比较之下更觉得落后"),
        "vent comfort",
        "想先有人听见这份委屈",
        ("先认出等消息的煎熬，再把结果和价值分开", "贴着不敢接电话的细节，陪着说出委屈"),
        (
            "等一个不会来的电话，一等就是七次，这样的日子真的很磨人。",
            "你准备了整整一个星期，手还是会抖，那是因为你很在乎。",
            "不敢接家里的电话，也许不是不想说话，而是怕听见他们的期待。",
            "没有回音，说明不了你这四年是白过的。",
            "如果愿意，可以说说哪一次最让你难受，我在听。",
        ),
    ),
    Scene(
        "zh",
        (
            "和他分开三个月了，我还是会在晚上翻以前的聊天记录。",
            "我们在一起五年，连窗帘都是一起挑的。",
            "他说感情淡了，我却一点都没有察觉。",
            "朋友劝我往前看，可我走到哪里都能想起他。",
            "周末一个人吃饭的时候，眼泪会突然掉下来。",
            "我删了他的号码，又一个数字一个数字地记得。",
        ),
        "sadness longing loneliness",
        "分开之后，生活里到处是他的影子",
        ("五年的习惯忽然断了，别人催着走，自己还停在原地", "没有察觉对方的变化，于是反复回头找原因"),
        "vent company",
        "想有人陪着，不被催着好起来",
        ("允许难过有自己的节奏，不催促", "从窗帘和聊天记录这些细节说起，承认失去的分量"),
        (
            "五年不是一个数字，是一起挑过的窗帘，是很多个一起吃饭的周末。",
            "别人说往前看的时候，心里大概更孤单了，因为你还在想念。",
            "眼泪突然掉下来，并不丢人，那是还没有说完的话。",
            "三个月其实不算长，你可以慢慢来。",
            "今晚如果又想翻记录，也可以先来这里说一说。",
        ),
    ),
    Scene(
        "zh",
        (
            "项目上线之后我每天都到十一点才走，回到家孩子早就睡了。",
            "领导在群里点名说我进度慢，底下一排人回复收到。",
            "我坐在车里不想上楼，就那么坐着，什么都不想。",
            "妻子说我回家像个房客，我没有力气解释。",
            "周日下午一到四点，心口就开始发紧。",
            "我不知道这样下去还能撑多久。",
        ),
        "exhaustion overwhelm helplessness",
        "工作把人掏空，家里也顾不上",
        ("工作的要求没有尽头，被当众点名，回家又觉得亏欠", "把两边的期待都扛在自己身上，没有喘气的地方"),
        "vent clarity",
        "想喘一口气，也想理清先放下什么",
        ("先停在车里那一刻，承认已经很累", "分开工作和家的两份压力，不急着出主意"),
        (
            "坐在车里什么都不想的那几分钟，可能是一天里唯一属于你的时间。",
            "被当着大家的面点名，还要装作没事，这很难。",
            "你没有力气解释，不等于你不在乎家里。",
            "周日下午的心口发紧，是身体在说它累了。",
            "要是愿意，我们可以一起看看，哪一件事最压着你。",
        ),
    ),
    Scene(
        "zh",
        (
            "妈妈住院之后，我和哥哥轮流陪床，他总是临时说有事。",
            "夜里走廊的灯一直亮着，我在折叠椅上睡不着。",
            "她问我是不是嫌她拖累，我说没有，转过身就哭了。",
            "单位的假快用完了，我不敢再开口。",
            "哥哥说我是女儿，照顾起来方便。",
            "我很爱她，可是我真的好累。",
        ),
        "exhaustion guilt anger",
        "照顾妈妈很累，又不敢承认累",
        ("照顾的担子落在一个人身上，一说累就觉得对不起妈妈", "哥哥的推脱让付出变得理所当然，委屈没有地方放"),
        "vent understanding",
        "想有人明白爱和累可以同时在",
        ("把爱和累放在一起说，两个都是真的", "说出被当作理所当然的不公平，不评判任何人"),
        (
            "很爱她，也很累，这两件事可以同时是真的。",
            "转过身才敢哭，说明你连难过都在替她着想。",
            "一句女儿方便，就把那么多个夜晚轻轻放到了你身上。",
            "走廊的灯亮了一夜，你也醒了一夜。",
            "你愿意说说，最想让谁看见这些吗？",
        ),
    ),
    Scene(
        "zh",
        (
            "室友们出去吃饭从来不叫我，回来还会聊得很大声。",
            "我主动打招呼，他们笑一下，就没有下文了。",
            "上课我总是坐在最后一排靠窗的位置。",
            "有时候一整天，我只和食堂阿姨说过话。",
            "我想是不是我这个人本身就很无趣。",
            "放假回家我说一切都好。",
        ),
        "loneliness hurt self-doubt",
        "在人群里没有位置，又不敢说",
        ("一次次主动没有回应，慢慢把原因归到自己身上", "身边热闹却没有自己的份，对家里又只能报喜"),
        "company comfort",
        "想有人愿意听自己说话",
        ("看见那些主动，再轻轻松开自我责备", "陪着，不急着教社交的方法"),
        (
            "主动打了招呼，却没有下文，那一下子的落空很具体。",
            "一整天只和食堂阿姨说过话，还要跟家里说一切都好，真的不容易。",
            "没有被叫上，不等于你无趣。",
            "坐在最后一排靠窗的位置，你一定也看见过很多别人没注意的东西。",
            "在这里你可以想说多久就说多久。",
        ),
    ),
    Scene(
        "en",
        (
            "I have been to six interviews this autumn and every time they said they would call.",
            "My parents ask about it every Sunday and I have started to let the phone ring.",
            "My friends post pictures of their new desks and I close the app at once.",
            "I prepared for the last one for a whole week and my hands still shook.",
            "Sending applications feels like dropping stones into a well.",
            "I wonder what I have been studying for all these years.",
        ),
        "anxiety self-doubt hurt",
        "No answer after every interview, and afraid of letting the family down",
        (
            "Every silence is read as proof of not being good enough",
            "So much effort with no reply, and everyone else seems to be ahead",
        ),
        "vent comfort",
        "Wants to be heard before anything else",
        (
            "Name the strain of waiting, then part the result from the worth",
            "Stay with the ringing phone and the hurt behind it",
        ),
        (
            "Six times of waiting for a call that does not come would wear anyone out.",
            "Your hands shook because this matters to you.",
            "Letting the phone ring may be less about not wanting to talk and more about the hope in their voices.",
            "No reply says little about all that you have learnt.",
            "If you like, tell me which of them was the hardest.",
        ),
    ),
    Scene(
        "en",
        (
            "We broke up three months ago and I still read our old messages at night.",
            "We were together for five years and even chose the curtains together.",
            "He said the feeling had faded and I had not seen it at all.",
            "My friends tell me to move on but every street reminds me of him.",
            "On weekends I eat alone and the tears come without warning.",
            "I deleted his number and I still know every digit.",
        ),
        "sadness longing loneliness",
        "After the parting, everything still carries his shadow",
        (
            "Five years of habits broke off at once while others push to move on",
            "The change went unseen, so the mind keeps going back to look for it",
        ),
        "vent company",
        "Wants company without being hurried",
        (
            "Let the grief have its own pace",
            "Begin with the curtains and the messages, and own the weight of the loss",
        ),
        (
            "Five years is not a number, it is curtains and weekends and a whole way of living.",
            "When people say move on, it can feel even lonelier, because you are still missing him.",
            "Tears that come without warning are words that have not been said yet.",
            "Three months is not long, and you can take your time.",
            "If tonight is one of those nights, you can come here first.",
        ),
    ),
    Scene(
        "en",
        (
            "Since the launch I have left the office at eleven every night and my child is asleep by then.",
            "My manager named me in the group for being slow and everyone just wrote noted.",
            "I sat in the car outside the house and could not make myself go in.",
            "My wife says I am like a lodger and I have no strength to explain.",
            "On Sunday at four my chest goes tight.",
            "I do not know how long I can go on like this at work.",
        ),
        "exhaustion overwhelm helplessness",
        "Work takes everything and nothing is left for home",
        (
            "Demands without an end at work, and a sense of owing those at home",
            "Carrying the hopes of both sides with no place to breathe",
        ),
        "vent clarity",
        "Wants a breath, and to see what to put down first",
        (
            "Stay in the car for a moment and own how tired this is",
            "Part the two burdens without rushing to fix them",
        ),
        (
            "Those minutes in the car may be the only ones of the day that are yours.",
            "To be named in front of everyone and carry on as if nothing happened is hard.",
            "Having no strength to explain does not mean you care any less.",
            "A tight chest on a Sunday is the body saying that it is tired.",
            "If you want, we can look together at which of these weighs the most.",
        ),
    ),
    Scene(
        "en",
        (
            "My mother is in hospital and my brother always has something else to do.",
            "The light in the corridor is on all night and I cannot sleep in the folding chair.",
            "She asked if she is a burden and I said no and then I cried with my back to her.",
            "I have used up my days off and I do not dare to ask for more.",
            "My brother says it is easier for a daughter.",
            "I love her and I am so tired.",
        ),
        "exhaustion guilt anger",
        "Caring for her mother is heavy, and hard to admit",
        (
            "The care falls to one person, and saying so feels like a betrayal",
            "What she gives is taken for granted, and the anger has no place to go",
        ),
        "vent understanding",
        "Wants someone to see that love and tiredness can both be there",
        (
            "Put love and tiredness side by side, both are true",
            "Say that it is unfair without judging anyone",
        ),
        (
            "You love her and you are so tired, and both can be true at once.",
            "Crying with your back turned means you were caring for her even then.",
            "One sentence about daughters put all those nights on you.",
            "The corridor light was on all night, and so were you.",
            "Who would you most like to see this?",
        ),
    ),
    Scene(
        "en",
        (
            "My flatmates never ask me along and when they come home they laugh in the kitchen.",
            "I say hello first and they smile and that is the end of it.",
            "In class I sit in the last row by the window.",
            "Some days the only person I talk to is the woman in the canteen.",
            "Maybe I am just a dull person.",
            "When I call home I say that everything is fine.",
        ),
        "loneliness hurt self-doubt",
        "No place among the others, and no one to tell",
        (
            "Every first step went unanswered, and the blame slowly turned inwards",
            "Others are close by and loud, while home only hears good news",
        ),
        "company comfort",
        "Wants someone who is glad to listen",
        (
            "See the first steps, then loosen the blame",
            "Keep company and teach nothing",
        ),
        (
            "You said hello first, and then nothing came back, and that is a real drop.",
            "To talk to one person all day and then say that everything is fine takes a lot.",
            "Not being asked along does not make you dull.",
            "From the last row by the window you must have seen things that nobody else did.",
            "Here you can talk for as long as you like.",
        ),
    ),
)
