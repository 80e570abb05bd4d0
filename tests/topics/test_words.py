"""Words of all scripts stay whole; texts without spaces are remarked on."""

import unicodedata
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenmf import find_topics
from sparsenmf.topics.weighting import make_vectorizer, weigh_texts
from sparsenmf.topics.words import compose, compose_lower, word_pattern

pytest.importorskip("sklearn")

WORDS = {
    "Hindi": "क्रिकेट टीम ने मैच में शानदार पारी खेली",
    "Tamil": "தமிழ்நாடு அரசு புதிய திட்டம் அறிவித்தது",
    "Bengali": "বাংলাদেশ ক্রিকেট দল ম্যাচ জিতেছে",
    "Thai": "ประเทศไทย มี อากาศ ร้อน ที่สุด",
    "Arabic": "كَتَبَ الوَلَدُ الدَّرْسَ في البَيْتِ",
    "Hebrew": "שָׁלוֹם עֲלֵיכֶם יְלָדִים טוֹבִים",
    "Persian": "می‌خواهم کتاب‌ها را بخوانم",  # noqa: RUF001 - joiners are part of the words
    "Telugu": "తెలుగు భాష చాలా మధురమైనది",
    "Malayalam": "മലയാളം ഭാഷ കേരളത്തിൽ സംസാരിക്കുന്നു",
    "Burmese": "မြန်မာ နိုင်ငံ",
    "German": "größe städte über 5g ki",
    "Vietnamese": "việt nam đất nước tiếng",
    "Chinese": "股票 市场 今天 下跌",
    "English": "ai 5g covid19 o2 the",
}


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("language", WORDS)
def test_words_stay_whole_in_every_normal_form(language, form):
    text = unicodedata.normalize(form, WORDS[language])
    texts = [text, f"({text}!)", f"«{text}», {text}."]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, vectorizer = weigh_texts(texts, min_df=1, max_df=1.0, stop_words=None)
    expected = {unicodedata.normalize("NFC", word) for word in WORDS[language].split()}
    if form in ("NFKC", "NFKD"):
        expected = {unicodedata.normalize("NFKC", word) for word in expected}
    assert set(vectorizer.get_feature_names_out()) == expected


def split(text, min_length):
    """Words by their definition, character by character."""
    words, word = [], ""
    for character in [*text, " "]:
        kind = unicodedata.category(character)[0]
        letter = character.isalnum() or character == "_"
        if letter or (word and (kind == "M" or character in "\u200c\u200d")):
            word += character
            continue
        if len(word) >= min_length:
            words.append(word)
        word = ""
    return words


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=40), st.integers(1, 4))
def test_words_are_letters_digits_and_marks(text, min_length):
    vectorizer = make_vectorizer(stop_words=None, min_length=min_length)
    text = compose_lower(text)
    assert vectorizer.build_analyzer()(text) == split(compose_lower(text), min_length)


def test_every_mark_belongs_to_words():
    marks = [c for c in map(chr, range(0x110000)) if unicodedata.category(c)[0] == "M"]
    assert len(marks) > 2000
    split_words = make_vectorizer(stop_words=None).build_tokenizer()
    assert all(split_words(f"a{mark}b") == [f"a{mark}b"] for mark in marks)
    assert word_pattern() == word_pattern(2)


def test_case_is_kept_or_not():
    decomposed = "Gro\u0308ße"
    assert compose_lower(decomposed) == "größe"
    assert compose(decomposed) == "Größe"


PHRASES = {
    "Chinese": ["今天天气很好我们去公园散步。", "股票市场今天下跌了很多点。"],
    "Japanese": ["今日は天気がいいので散歩します。", "株価が大きく下がりました。"],
    "Thai": ["วันนี้อากาศดีมากเราไปเดินเล่น", "ตลาดหุ้นวันนี้ลดลงมากที่สุดเลย"],
    "Khmer": ["ថ្ងៃនេះអាកាសធាតុល្អណាស់យើង", "ទីផ្សារភាគហ៊ុនធ្លាក់ចុះខ្លាំង"],
}

ADVICE = r"segment them into words first.*--analyzer char --ngrams 2"


@pytest.mark.parametrize("language", PHRASES)
def test_texts_without_spaces_are_remarked_on(language):
    texts = PHRASES[language] * 10
    with pytest.warns(UserWarning, match=ADVICE):
        weigh_texts(texts)
    different = [f"{text[i:]}{text[:i]}" for text in texts for i in range(1, 7)]
    with pytest.raises(ValueError, match=f"leave no terms.*{ADVICE}"):
        weigh_texts(different, min_df=50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = find_topics(texts, 2, analyzer="char", ngrams=2, random_state=0)
    assert {len(term) for term in found.terms} == {2}


SEGMENTED = {
    "Chinese": "今天 天气 很 好 我们 去 公园 散步",
    "Japanese": "今日 は 天気 が いい ので コンピューター を 買い ます",
    "Thai": "วันนี้ อากาศ ดี มาก ประเทศไทย มหาวิทยาลัย เดินเล่น",
    "Korean": "오늘은 날씨가 매우 좋아서 공원에서 산책합니다",
    "English with names": "the company 阿里巴巴集团控股有限公司 rose early on Monday today",
}


@pytest.mark.parametrize("language", SEGMENTED)
def test_segmented_texts_are_not_remarked_on(language):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, vectorizer = weigh_texts([SEGMENTED[language]] * 9, max_df=1.0, stop_words=None)
    words = {word for word in SEGMENTED[language].lower().split() if len(word) > 1}
    assert set(vectorizer.get_feature_names_out()) == words
