"""The rehearsal model: an OpenAI-compatible endpoint that is scripted and says so."""
