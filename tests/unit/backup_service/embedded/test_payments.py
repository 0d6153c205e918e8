"""The stand-in for the payment service: kept from run to run, and left out for Stripe itself."""

from pathlib import Path

from backup_service.embedded import datadir
from backup_service.embedded.configuration import Configuration, choose
from backup_service.embedded.processes import programs
from billing.stand_in.settings import read


def chosen(data_dir: Path, **wishes: str) -> Configuration:
    configuration = choose(data_dir, {"PORT": "0", **wishes})
    datadir.write_settings(data_dir, configuration.settings())
    return configuration


def test_port_and_keys_are_kept(tmp_path: Path) -> None:
    first, again = chosen(tmp_path), chosen(tmp_path)
    assert first.payments is not None
    assert first.payments == again.payments
    assert first.payments.port not in (first.port, first.gateway_port, first.broker_port)
    assert first.payments.api_key.startswith("sk_test_")


def test_the_stand_in_reads_what_the_service_does(tmp_path: Path) -> None:
    configuration = chosen(tmp_path)
    assert configuration.payments is not None
    settings = read(tmp_path / "service.env")
    assert settings.address == configuration.payments.url
    assert settings.api_key == configuration.payments.api_key
    assert settings.webhook_url == f"{configuration.site_url}/billing/webhook/"
    assert settings.clock_file == tmp_path / "clock"
    command = " ".join(programs.payments(configuration).argv)
    assert configuration.payments.api_key not in command
    assert configuration.payments.webhook_secret not in command


def test_with_a_key_of_stripes_own_there_is_no_stand_in(tmp_path: Path) -> None:
    chosen(tmp_path)
    key = {"NIGHTSAFE_STRIPE_API_KEY": "sk_test_real", "NIGHTSAFE_STRIPE_WEBHOOK_SECRET": "whsec_1"}
    configuration = chosen(tmp_path, **key)
    assert configuration.payments is None
    told = configuration.settings()
    assert told["NIGHTSAFE_STRIPE_API_KEY"] == "sk_test_real"
    assert "NIGHTSAFE_STRIPE_API_BASE" not in told
    back = chosen(tmp_path)
    assert back.payments is not None
    assert back.payments.api_key != "sk_test_real"
