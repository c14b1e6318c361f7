"""Chapter 03: PEFT."""
