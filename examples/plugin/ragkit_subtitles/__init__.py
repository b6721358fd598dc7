"""An example plugin of ragkit: subtitles (.srt), the encoder "trigrams", ``ragkit outline``."""
