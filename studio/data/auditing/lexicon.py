"""The words by which captions are judged, as plain lists: what carries no meaning, clothes, places, traits, colours; what excludes what is in studio.data.captions.contradictions.

English as captioners and taggers write it, the commonest words of seven more languages, and Japanese and Chinese, which are found without spaces.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.casefold().split())


_STOPWORDS = {
    "en": """a an and are as at be been before behind beside between by for from her hers him his in into is it its near next of off on onto or out
        over she he the their them they this that these those there to toward towards under up with while wearing wears who which photo photograph picture image
        portrait video clip shot of facing looking has have having being some very against front top both down
        holding standing sitting seen""",
    "de": """der die das den dem des ein eine einen einem einer eines und oder mit ohne in im am an auf aus bei von vom zu zum zur vor hinter neben unter über
        ist sind trägt er sie es ihr ihre ihren sein seine seinen sich nach für foto bild porträt person""",
    "fr": """le la les l un une des du de d et ou avec sans dans en au aux à sur sous devant derrière près par pour est sont porte elle il son sa ses qui
        photo portrait image""",
    "es": """el la los las un una unos unas de del y o con sin en al a sobre bajo ante tras por para es son está lleva ella él su sus que foto retrato imagen""",
    "it": """il lo la i gli le un uno una di del della dei delle e o con senza in nel nella al alla su sul sulla da per è sono indossa lei lui suo sua che foto""",
    "pt": """o a os as um uma de do da dos das e ou com sem em no na nos nas ao à sobre por para é são está usa veste ela ele seu sua que foto retrato""",
    "nl": """de het een en of met zonder in op aan bij van voor achter naast onder is zijn draagt zij hij haar die dat foto""",
    "pl": """i w z na o do za przed pod przy jest są ma nosi ona on jej jego się oraz zdjęcie""",
    "ru": """и в во с со на о об у к за из от для по под над перед она он её его это в фото портрет одета одет""",
}
STOPWORDS = {language: _words(text) for language, text in _STOPWORDS.items()}
# says something beside other words only: soft light, and nothing alone
WEAK = _words(
    "light lighting background foreground 1girl 1boy solo viewer camera licht lumière luz luce hintergrund fond fondo sfondo fundo"
)
# one letter of Japanese or Chinese that begins or ends no phrase of its own: particles and endings
UNSPACED_STOPS = frozenset("的了着著在是和與与一个個位名张張有中上下里裡の를을에의")

GARMENTS = _words("""
    coat jacket blazer parka hoodie sweater sweatshirt pullover jumper cardigan vest waistcoat shirt t-shirt tshirt tee blouse top tank-top polo
    turtleneck dress gown skirt trousers pants jeans shorts leggings tights stockings suit tuxedo uniform robe kimono sari apron overalls jumpsuit
    swimsuit bikini underwear bra lingerie pyjamas pajamas socks shoe shoes boots sneakers heels sandals hat cap beanie hood helmet scarf tie bowtie gloves belt
    shawl cape poncho headband bandana necklace earrings choker outfit clothes clothing
    mantel jacke hemd bluse pullover kleid rock hose anzug hut mütze schal schuhe stiefel krawatte
    manteau veste chemise chemisier pull robe jupe pantalon costume chapeau écharpe chaussures bottes cravate
    abrigo chaqueta camisa camiseta blusa vestido falda pantalones traje sombrero bufanda zapatos botas corbata
    cappotto giacca camicia maglietta vestito gonna pantaloni cappello sciarpa scarpe
    casaco jaqueta camiseta saia calças chapéu sapatos
    jas trui jurk rok broek pak hoed sjaal schoenen
    płaszcz kurtka koszula sukienka spódnica spodnie kapelusz szalik
    пальто куртка рубашка платье юбка брюки костюм шляпа шарф футболка свитер
""")
PLACES = _words("""
    room bedroom kitchen bathroom office studio hall hallway corridor house home apartment garden yard street road alley sidewalk city town
    building park forest wood woods beach sea ocean lake river mountain mountains hill field meadow sky snow desert bridge station airport
    train bus car shop store market mall cafe restaurant bar club gym pool school classroom library church museum stage theater theatre
    stadium balcony terrace roof rooftop window wall walls door doorway fence stairs staircase bench sofa couch bed chair table desk
    backdrop indoors outdoors indoor outdoor outside inside interior exterior scenery trees plants water
    zimmer küche büro straße stadt wald strand meer park garten wand fenster draußen drinnen hintergrund
    chambre cuisine bureau rue ville forêt plage mer parc jardin mur fenêtre extérieur intérieur fond
    habitación cocina oficina calle ciudad bosque playa mar parque jardín pared ventana exterior interior fondo
    stanza cucina ufficio strada città bosco spiaggia mare parco giardino muro finestra sfondo
    quarto cozinha escritório rua cidade floresta praia parque jardim parede janela fundo
    kamer keuken kantoor straat stad bos strand zee tuin muur raam achtergrond
    pokój kuchnia biuro ulica miasto las plaża morze ogród ściana okno
    комната комнате кухня кухне офис офисе улица улице город городе лес лесу пляж пляже море парк парке сад саду стена окно
""")
TRAITS = _words("""
    hair haired hairstyle bangs fringe ponytail braid braids bun bob curls bald blond blonde brunette redhead beard bearded moustache mustache stubble
    freckles freckle mole scar tattoo tattoos piercing eyes eyebrows eyelashes skin face nose lips mouth teeth chin cheeks cheekbones jawline wrinkles dimples
    glasses eyeglasses spectacles sunglasses makeup make-up lipstick eyeliner
    smile smiling smiles expression young old middle-aged elderly slim tall
    haare haar augen brille bart lächeln lächelnd cheveux yeux lunettes barbe sourire souriante souriant pelo cabello ojos gafas barba sonrisa sonriendo
    capelli occhi occhiali sorriso sorridente cabelo olhos óculos sorriso sorrindo haren ogen bril lachend włosy oczy okulary волосы глаза очки борода улыбка улыбается
""")
UNSPACED_GARMENTS = [
    "外套",
    "大衣",
    "夹克",
    "夾克",
    "衬衫",
    "襯衫",
    "毛衣",
    "裙",
    "连衣裙",
    "連衣裙",
    "裤",
    "褲",
    "西装",
    "西裝",
    "帽",
    "围巾",
    "圍巾",
    "鞋",
    "衣服",
    "T恤",
    "コート",
    "ジャケット",
    "シャツ",
    "セーター",
    "ワンピース",
    "スカート",
    "ズボン",
    "スーツ",
    "帽子",
    "マフラー",
    "ブラウス",
    "着物",
    "パーカー",
    "ドレス",
    "코트",
    "재킷",
    "셔츠",
    "스웨터",
    "원피스",
    "치마",
    "바지",
    "모자",
]
UNSPACED_PLACES = [
    "房间",
    "房間",
    "室内",
    "室內",
    "室外",
    "户外",
    "戶外",
    "公园",
    "公園",
    "街",
    "海边",
    "海邊",
    "海滩",
    "海灘",
    "森林",
    "办公室",
    "辦公室",
    "厨房",
    "廚房",
    "背景",
    "墙",
    "牆",
    "窗",
    "部屋",
    "屋外",
    "海辺",
    "台所",
    "教室",
    "道",
    "庭",
    "공원",
    "거리",
    "바다",
    "실내",
    "방에",
    "배경",
]
UNSPACED_TRAITS = [
    "头发",
    "頭髮",
    "长发",
    "長髮",
    "短发",
    "短髮",
    "眼镜",
    "眼鏡",
    "眼睛",
    "微笑",
    "笑容",
    "胡子",
    "鬍子",
    "髪",
    "黒髪",
    "金髪",
    "目",
    "メガネ",
    "ひげ",
    "笑顔",
    "안경",
    "머리",
    "미소",
]

_COLOURS = {  # a colour -> the words for it; others are not told apart surely enough
    "red": "red crimson scarlet maroon burgundy rotes roter rote rouge rojo roja rosso rossa vermelho vermelha rood rode czerwony czerwona красный красная красное красном",
    "blue": "blue navy azure cobalt blaues blauer blaue bleu bleue azul blu blauw blauwe niebieski niebieska синий синяя синее синем голубой",
    "green": "green olive emerald grünes grüner grüne vert verte verde groen groene zielony zielona зелёный зеленый зелёная зелёное",
    "yellow": "yellow mustard gelbes gelber gelbe jaune amarillo amarilla giallo gialla amarelo amarela geel gele żółty жёлтый желтый жёлтая жёлтое",
    "black": "black schwarzes schwarzer schwarze noir noire negro negra nero nera preto preta zwart zwarte czarny czarna чёрный черный чёрная чёрное",
    "white": "white ivory weißes weißer weiße blanc blanche blanco blanca bianco bianca branco branca wit witte biały biała белый белая белое",
    "purple": "purple violet lavender lila violett violettes viola morado roxo paars fioletowy фиолетовый",
    "orange": "orange naranja arancione laranja oranje оранжевый",
    "pink": "pink rosa rose roze różowy розовый розовая розовое",
    "brown": "brown braunes brauner braune marron brun marrón marrone castanho bruin bruine brązowy коричневый коричневая",
    "grey": "grey gray graues grauer graue gris grise grigio grigia cinza cinzento grijs grijze szary серый серая серое",
}
COLOURS = {word: colour for colour, words in _COLOURS.items() for word in words.split()}
UNSPACED_COLOURS = {
    letter: colour
    for colour, letters in {
        "red": "红紅赤",
        "blue": "蓝藍青",
        "green": "绿綠緑",
        "yellow": "黄黃",
        "black": "黑黒",
        "white": "白",
        "purple": "紫",
        "pink": "粉",
    }.items()
    for letter in letters
}
SEVERAL_WORDS = (
    "two people",
    "two persons",
    "two women",
    "two men",
    "three people",
    "several people",
    "group of people",
    "a couple",
    "2girls",
    "2boys",
    "multiple girls",
    "multiple boys",
    "multiple people",
)
ALONE_WORDS = ("alone", "solo", "by herself", "by himself")
PROFILE_WORDS = ("profile view", "in profile", "side profile", "side view", "from the side", "from side", "profile")
