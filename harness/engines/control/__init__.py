"""What each tag means in sound, and how a voice is made to do it.

A *plan* (`harness.engines.control.plan`) says what is to change, independent of any voice: for each phone, the factor of its
length; for each slot, the seconds of silence to add; for each word that a tag acts on, a movement of F0 and of level.
`harness.engines.control.curves` draws the movements over the time of an utterance, once its phones have times and its plain F0 is
known. A voice does the rest: inside its model, where that can be told lengths and F0, or on the signal
(`harness.engines.control.signal`).

``<emph>``
    The word is longer, its stressed syllable most. F0 rises to a peak in the stressed vowel and comes down after it. The word is
    louder. A short gap precedes it, and the rest of the phrase is a little lower and softer.
``<pause_short>``, ``<pause_long>``
    Silence is added in the gap, on top of the gap that is there anyway.
``<pitch_high>``, ``<pitch_low>``
    The F0 of the word is raised or lowered as a whole, with short ramps at its edges.
``<pitch_rising>``
    From the last stressed vowel of the phrase on, F0 climbs well above the middle of the voice, and stays there to the end of the
    word. At the end of a sentence the voice reads a question mark.
``<pitch_falling>``
    F0 is raised before the last stressed vowel of the phrase, and drops from there towards the bottom of the voice.

Rules for several tags, and for places where a tag cannot act:

- Tags on different properties of a word add up: an emphasised word may be low, and end in a rise.
- Where two tags lengthen a phone, the larger factor is taken. A tag that is repeated in its place acts once.
- Opposite tags in one place (both pauses in a gap, high and low on a word, rising and falling on a phrase) cannot both be
  obeyed. The one written last acts, and the others are lost.
- A pause at the first slot is silence before the first word, and a pause at the last slot is silence after the last word.
- A phrase ends at clause punctuation or at a pause tag. No movement crosses the end of a sentence.
- A word without a vowel ("hmm", "psst") counts as a single stressed syllable.
- A tag is lost if no word follows it, or if the voice does not say the word (an emoji, a script that it cannot read).
"""
