"""Models trained on human judgements: how prominent does each word sound, how good does a clip sound?"""

from harness.prosody.listeners.base import LISTENERS, Listener, judge, listeners_of, load_listener, register_listener

__all__ = ["LISTENERS", "Listener", "judge", "listeners_of", "load_listener", "register_listener"]
