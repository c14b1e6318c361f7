"""Chapter 10: prosody in the audio."""
