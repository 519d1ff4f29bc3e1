"""Phrases that recognisers are known to write where nobody speaks.

Most were learned from the subtitles of videos: farewells, requests to subscribe, and the credits of whoever made the
subtitles. They are also things that people say, so a phrase alone says nothing; ``suspect`` asks for silence under it
too. What is often invented was measured by Barański et al., "Investigation of Whisper ASR Hallucinations
Induced by Non-Speech Audio" (2025), and Koenecke et al., "Careless Whisper" (2024); the rest is what users report.
"""

from __future__ import annotations

import re
from functools import cache

PHRASES = {
    "ar": ("اشتركوا في القناة", "ترجمة نانسي قنقر", "شكرا للمشاهدة"),
    "cs": ("děkuji za pozornost", "děkuji za sledování"),
    "da": ("tak for at se med", "tak fordi du så med"),
    "de": ("vielen dank", "vielen dank fürs zuschauen", "bis zum nächsten mal", "das war's"),
    "en": (
        *("thank you", "thank you very much", "thank you so much", "thank you for your time", "the end"),
        *("thanks for watching", "thank you for watching", "thank you so much for watching", "thanks for listening"),
        *("please subscribe", "please subscribe to my channel", "like and subscribe", "don't forget to subscribe"),
        *("see you next time", "see you in the next video", "i'll see you in the next video", "i'll see you next time"),
    ),
    "es": ("gracias por ver", "gracias por ver el video", "suscríbete al canal", "hasta la próxima"),
    "fi": ("kiitos kun katsoit", "kiitos kun katsoitte"),
    "fr": ("merci d'avoir regardé cette vidéo", "merci d'avoir regardé", "abonnez-vous", "à la prochaine"),
    "hi": ("देखने के लिए धन्यवाद",),
    "id": ("terima kasih telah menonton", "terima kasih sudah menonton"),
    "it": ("grazie per la visione", "grazie a tutti", "iscrivetevi al canale"),
    "ja": (
        "ご視聴ありがとうございました",
        "ありがとうございました",
        "チャンネル登録をお願いいたします",
        "おやすみなさい",
    ),
    "ko": ("시청해주셔서 감사합니다", "감사합니다", "구독과 좋아요 부탁드립니다", "다음 영상에서 만나요"),
    "nl": ("bedankt voor het kijken", "tot de volgende keer"),
    "no": ("takk for at du så på", "takk for at dere så på"),
    "pl": ("dziękuję za uwagę", "dziękuję za oglądanie", "dziękuję za obejrzenie"),
    "pt": ("obrigado por assistir", "inscreva-se no canal", "até a próxima"),
    "ro": ("vă mulțumim pentru vizionare", "mulțumesc pentru vizionare"),
    "ru": ("спасибо за просмотр", "продолжение следует", "подписывайтесь на канал", "до новых встреч"),
    "sv": ("tack för att ni tittade", "tack för att du tittade"),
    "tr": ("izlediğiniz için teşekkürler", "izlediğiniz için teşekkür ederim", "abone olmayı unutmayın"),
    "uk": ("дякую за перегляд", "дякуємо за перегляд"),
    "vi": ("cảm ơn các bạn đã theo dõi", "hẹn gặp lại các bạn trong những video tiếp theo"),
    "zh": ("谢谢观看", "谢谢大家", "感谢观看", "请不吝点赞订阅转发打赏支持明镜与点点栏目", "明镜与点点栏目"),
}
"""By ISO 639-1 code, for whoever reads them; they are sought in text of any language, for language is guessed too."""

CREDITS = (
    *("subtitles by", "subtitles created by", "captions by", "captioned by", "transcribed by", "transcription by"),
    *("untertitel von", "untertitel im auftrag des", "untertitelung", "untertitel der"),
    *("sous-titres par", "sous-titres réalisés par", "sous-titres réalisés para", "sous-titrage"),
    *("subtítulos por", "subtítulos realizados por", "legendas pela", "legendas por", "legenda por"),
    *("sottotitoli creati", "sottotitoli e revisione", "ondertiteld door", "ondertitels ingediend", "ondertiteling"),
    *("napisy stworzone", "titulky vytvořil", "undertexter från", "teksting av", "danske tekster", "altyazı"),
    *("субтитры", "редактор субтитров", "υπότιτλοι", "字幕", "자막", "ترجمة"),
)
"""How the credits of subtitles begin; who made them follows."""

_LONGEST_CREDIT = 80
"""Characters that a credit has at most."""


def is_known_invention(text: str) -> bool:
    """Return whether a text is nothing but such phrases, one or more, or one such credit.

    >>> is_known_invention("Thank you. Thanks for watching!")
    True
    >>> is_known_invention("Thank you for the letter.")
    False
    """
    plain = _plain(text)
    if not plain:
        return False
    is_credit = len(plain) <= _LONGEST_CREDIT and plain.startswith(_credits())
    return is_credit or "amaraorg" in plain or _only_phrases().fullmatch(plain) is not None


def _plain(text: str) -> str:
    """Return letters and digits alone: languages, and recognisers, differ in where they put spaces and marks."""
    return "".join(filter(str.isalnum, text.casefold()))


@cache
def _credits() -> tuple[str, ...]:
    return tuple(map(_plain, CREDITS))


@cache
def _only_phrases() -> re.Pattern[str]:
    every = {_plain(phrase) for phrases in PHRASES.values() for phrase in phrases}
    return re.compile(f"(?:{'|'.join(sorted(every, key=lambda phrase: (-len(phrase), phrase)))})+")
