"""From words and turns to utterances: who said what, how sure that is, what is suspect, what is missing."""
