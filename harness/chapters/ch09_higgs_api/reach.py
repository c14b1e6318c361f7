"""Whether a server answers at all. No key is sent."""

from __future__ import annotations


def reachable(base_url: str, timeout: float = 10.0) -> tuple[bool, str]:
    """Ask a server for its models, without reading the list.

    Parameters
    ----------
    base_url : str
        Address without ``/models``.
    timeout : float
        Seconds that each step may take.

    Returns
    -------
    tuple of (bool, str)
        Whether the server answered, with any status; and a description of the answer.
    """
    import openai

    http = openai.DefaultHttpxClient(follow_redirects=False, timeout=timeout)
    client = openai.OpenAI(base_url=base_url, api_key="none", timeout=timeout, max_retries=0, http_client=http)
    client.organization = client.project = None  # OpenAI's, from the environment: they do not concern other servers
    models = client.models.with_streaming_response
    try:
        with client, models.list(extra_headers={"Authorization": openai.omit}):
            pass
    except openai.APIStatusError as error:
        return True, f"answers with status {error.status_code}"
    except openai.APITimeoutError:
        return False, f"no answer within {timeout:g} s"
    except openai.APIConnectionError as error:
        return False, f"no connection ({type(error.__cause__).__name__ if error.__cause__ else 'no reason given'})"
    except openai.OpenAIError as error:
        return True, f"answers, but not as expected ({type(error).__name__})"
    return True, "answers with its models"
