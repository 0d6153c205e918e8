"""Jobs as people and the command write them down, and what is said of those that cannot run."""

import os
import threading
from pathlib import Path

import pytest
from nightsafe.errors import NightsafeError, SettingsError, UsageError
from nightsafe.jobs.job import Job, job_of
from nightsafe.jobs.jobs_file import add_job, load_jobs, remove_job

DOCUMENTS = Job("documents", ("/home/anna/Documents",), "daily 02:30")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "settings" / "jobs.toml")


def written(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")


def test_what_is_added_is_read_again(path: str) -> None:
    whole = Job(
        "every-key.2",
        ("/a", "/größe"),
        "every 30m; mon 12:00",
        zone="Europe/Berlin",
        windows=("22:00-06:00",),
        blackouts=("sat,sun 00:00-12:00",),
        excludes=("*.tmp", 'a "quoted" \\ one'),
        exclude_larger_than="2G",
        exclude_caches=True,
        one_file_system=True,
        tags=("nightly",),
        on_mains=True,
        battery_above=30,
        load_below=1.5,
        before="pg_dump > /tmp/x && echo 'done'",
        after="true",
        timeout="6h",
        limit_upload=("500K mon-fri 09:00-18:00", "5M"),
    )
    for job in (DOCUMENTS, whole):
        add_job(path, job)
    assert load_jobs(path).sound == {"documents": DOCUMENTS, "every-key.2": whole}
    assert load_jobs(path).invalid == {}
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert sorted(os.listdir(os.path.dirname(path))) == ["jobs.toml", "jobs.toml.lock"]


def test_where_there_is_no_file_there_are_no_jobs(path: str) -> None:
    assert load_jobs(path).sound == {}
    with pytest.raises(UsageError, match="There is no job 'documents'"):
        remove_job(path, "documents")


def test_jobs_beyond_what_can_be_are_named(path: str) -> None:
    written(path, "".join(f'[jobs.j{n}]\npaths="/x"\nschedule="manually"\n' for n in range(102)))
    jobs = load_jobs(path)
    assert len(jobs.sound) == 100
    assert set(jobs.invalid) == {"j100", "j101"}
    assert "beyond the 100" in jobs.invalid["j101"]


def test_comments_and_other_jobs_stay_as_they_are(path: str) -> None:
    text = '# mine\n[jobs.other]\npaths = "/x"  # one alone\nschedule = "manually"\n'
    written(path, text)
    add_job(path, DOCUMENTS)
    remove_job(path, "documents")
    assert Path(path).read_text(encoding="utf-8").strip() == text.strip()
    assert load_jobs(path).sound["other"].paths == ("/x",)


def test_a_link_to_the_file_stays_one(path: str, tmp_path: Path) -> None:
    written(path, "")
    os.replace(path, tmp_path / "elsewhere.toml")
    os.symlink(tmp_path / "elsewhere.toml", path)
    add_job(path, DOCUMENTS)
    assert os.path.islink(path)
    assert load_jobs(str(tmp_path / "elsewhere.toml")).sound == {"documents": DOCUMENTS}


def test_many_who_add_at_once_lose_nothing(path: str) -> None:
    jobs = [Job(f"job-{number}", ("/x",), "manually") for number in range(20)]
    threads = [threading.Thread(target=add_job, args=(path, job)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(load_jobs(path).sound) == {job.name for job in jobs}


def test_a_name_is_there_once_and_so_many_at_most(path: str) -> None:
    add_job(path, DOCUMENTS)
    with pytest.raises(UsageError, match="There is a job documents already"):
        add_job(path, DOCUMENTS)
    for number in range(99):
        add_job(path, Job(f"job-{number}", ("/x",), "manually"))
    with pytest.raises(UsageError, match="no more can be"):
        add_job(path, Job("more", ("/x",), "manually"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ('paths = ["/x"]', "it lacks 'schedule'"),
        ('schedule = "manually"', "it lacks 'paths'"),
        ('paths = []\nschedule = "manually"', "paths: name at least one"),
        ('paths = ["x"]\nschedule = "manually"', "paths: 'x' has to be absolute"),
        ('paths = [""]\nschedule = "manually"', "paths: '' is empty"),
        ('paths = [3]\nschedule = "manually"', "paths has to be a text"),
        ('paths = {a = 1}\nschedule = "manually"', "paths has to be a list of texts"),
        ('paths = ["/x"]\nschedule = 5', "schedule has to be a text"),
        ('paths = ["/x"]\nschedule = ""', "schedule: '' is not a schedule"),
        ('paths = ["/x"]\nschedule = "daily 25:00"', "schedule: '25:00' is not a time of day"),
        ('paths = ["/x"]\nschedule = "continuously"', "no job can run continuously yet"),
        ('paths = ["/x"]\nshedule = "manually"', "no key 'shedule'; perhaps schedule is meant"),
        ('paths = ["/x"]\nschedule = "manually"\nqqq = 1', "no key 'qqq'; there are paths"),
        ('paths = ["/x"]\nschedule = "manually"\nzone = "Mars"', "zone: 'Mars' is no time zone"),
        ('paths = ["/x"]\nschedule = "manually"\nwindow = "9"', "window: '9' is no span of time"),
        (
            'paths = ["/x"]\nschedule = "manually"\nwindow = "9:00-10:00"\nblackout = "8:00-11:00"',
            "window: No hour is left",
        ),
        (
            'paths = ["/x"]\nschedule = "manually"\nexclude_larger_than = "much"',
            "exclude_larger_than: ",
        ),
        (
            'paths = ["/x"]\nschedule = "manually"\nexclude_caches = "yes"',
            "exclude_caches has to be true or false",
        ),
        ('paths = ["/x"]\nschedule = "manually"\non_mains = 1', "on_mains has to be true or"),
        ('paths = ["/x"]\nschedule = "manually"\nbattery_above = 100', "from 1 to 99"),
        ('paths = ["/x"]\nschedule = "manually"\nbattery_above = 1.5', "a whole number"),
        ('paths = ["/x"]\nschedule = "manually"\nbattery_above = true', "a whole number"),
        ('paths = ["/x"]\nschedule = "manually"\nload_below = nan', "a number up to 1000"),
        ('paths = ["/x"]\nschedule = "manually"\nload_below = "1"', "has to be a number"),
        (
            'paths = ["/x"]\nschedule = "manually"\ntimeout = "soon"',
            "timeout: 'soon' is not a length",
        ),
        ('paths = ["/x"]\nschedule = "manually"\ntimeout = "0m"', "timeout: '0m' is not a length"),
        ('paths = ["/x\\u0000"]\nschedule = "manually"', "is empty, has a NUL"),
    ],
)
def test_a_job_that_is_wrong_is_named_and_the_others_go_on(
    path: str, fields: str, said: str
) -> None:
    written(path, f'[jobs.wrong]\n{fields}\n[jobs.right]\npaths = "/y"\nschedule = "manually"\n')
    jobs = load_jobs(path)
    assert list(jobs.sound) == ["right"]
    assert said in jobs.invalid["wrong"]
    assert path in jobs.invalid["wrong"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[jobs", "cannot be understood"),
        ("jobs = 3", "'jobs' is not known there"),
        ("[job.x]", "'job' is not known there"),
        ("a = 1", "'a' is not known there"),
        ("#" * (1 << 20) + "#", "larger than 1 MiB"),
    ],
)
def test_a_file_that_cannot_be_understood_is_not_changed(path: str, text: str, said: str) -> None:
    written(path, text)
    with pytest.raises(SettingsError, match=said):
        load_jobs(path)
    with pytest.raises(SettingsError, match=said):
        add_job(path, DOCUMENTS)
    assert Path(path).read_text(encoding="utf-8") == text


def test_a_file_that_is_no_utf_8(path: str) -> None:
    written(path, "")
    Path(path).write_bytes(b"# gr\xf6\xdfe")
    with pytest.raises(SettingsError, match="is not UTF-8"):
        load_jobs(path)
    Path(path).write_bytes(b"\xef\xbb\xbf# with a mark\n")
    assert load_jobs(path).sound == {}


@pytest.mark.parametrize("name", ["", "a b", "../x", "-a", "ä", "x" * 65, "a\nb"])
def test_names_of_jobs(name: str) -> None:
    with pytest.raises(UsageError, match="is no name for a job"):
        Job(name, ("/x",), "manually")
    with pytest.raises(SettingsError, match="is no name for a job"):
        job_of(name, {"paths": ["/x"], "schedule": "manually"})


def test_a_table_is_wanted() -> None:
    with pytest.raises(SettingsError, match="has to be a table"):
        job_of("x", 3)


def test_what_is_no_utf_8_cannot_stand_in_the_file() -> None:
    with pytest.raises(UsageError, match="is not UTF-8, and the file of jobs is"):
        Job("x", ("/\udcff",), "manually")


def test_without_a_home_nothing_is_kept() -> None:
    with pytest.raises(SettingsError, match="has no home folder"):
        add_job(os.path.join(os.devnull, "nightsafe", "config", "jobs.toml"), DOCUMENTS)


def test_where_nothing_can_be_written_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NightsafeError, match="cannot be written: File exists"):
        add_job(str(tmp_path / "file" / "jobs.toml"), DOCUMENTS)


def test_what_the_backup_is_called_with() -> None:
    job = Job(
        *("x", ("/a", "/-b"), "manually"),
        excludes=("-n", "*.o"),
        exclude_larger_than="1G",
        exclude_caches=True,
        one_file_system=True,
        tags=("t",),
    )
    assert job.arguments() == [
        *("--exclude=-n", "--exclude=*.o", "--tag=t", "--exclude-larger-than=1G"),
        *("--exclude-caches", "--one-file-system", "--", "/a", "/-b"),
    ]
