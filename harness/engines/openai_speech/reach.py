"""Whether a server answers at all. No key is sent."""

from __future__ import annotations


def reachable(base_url: str, timeout: float = 10.0) -> tuple[bool, str]:
    """Ask a server for its models.

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

    client = openai.OpenAI(base_url=base_url, api_key="none", timeout=timeout, max_retries=0)
    client.organization = client.project = None  # of OpenAI, from the environment: no one else's business
    try:
        with client:
            client.models.list(extra_headers={"Authorization": openai.omit})
    except openai.APIStatusError as error:
        return True, f"answers with status {error.status_code}"
    except openai.APITimeoutError:
        return False, f"no answer within {timeout:g} s"
    except openai.APIConnectionError as error:
        return False, f"no connection ({type(error.__cause__).__name__ if error.__cause__ else 'no reason given'})"
    except openai.OpenAIError as error:
        return True, f"answers, but not as expected ({type(error).__name__})"
    return True, "answers with its models"
