"""What is taken from a server's answer before anything is sent again."""

import pytest
from nightsafe.backend.rest_responses import is_safe


@pytest.mark.parametrize(
    ("url", "target", "expected"),
    [
        ("http://h/", "http://other/", True),
        ("http://h/", "https://h/", True),
        ("https://h/", "https://other/", True),
        ("https://h/", "http://h/", False),
        ("http://h/", "file:///etc/passwd", False),
        ("https://h/", "", False),
    ],
)
def test_nobody_is_led_out_of_tls(url: str, target: str, expected: bool) -> None:
    assert is_safe(url, target) is expected
