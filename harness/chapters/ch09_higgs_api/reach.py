"""Whether a server answers at all. No key is sent."""

from __future__ import annotations

from harness.engines.openai_speech.deadline import Deadline, http_client


def reachable(base_url: str, timeout: float = 10.0) -> tuple[bool, str]:
    """Ask a server for its models. What it says of them is not read.

    Parameters
    ----------
    base_url : str
        Address without ``/models``.
    timeout : float
        In seconds.

    Returns
    -------
    tuple of (bool, str)
        Whether it answered, whatever it said; and what, in words.
    """
    import openai

    deadline = Deadline()
    http = http_client(timeout, deadline, trust_env=True)
    client = openai.OpenAI(base_url=base_url, api_key="none", timeout=timeout, max_retries=0, http_client=http)
    client.organization = client.project = None  # of OpenAI, from the environment: no one else's business
    models = client.models.with_streaming_response
    late = f"no answer within {timeout:g} s"
    try:
        with client, deadline.within(timeout), models.list(extra_headers={"Authorization": openai.omit}):
            pass
    except openai.APIStatusError as error:
        return True, f"answers with status {error.status_code}"
    except openai.APITimeoutError:
        return False, late
    except openai.APIConnectionError as error:
        if isinstance(error.__cause__, TimeoutError):
            return False, late
        return False, f"no connection ({type(error.__cause__).__name__ if error.__cause__ else 'no reason given'})"
    except openai.OpenAIError as error:
        return True, f"answers, but not as expected ({type(error).__name__})"
    return True, "answers with its models"
