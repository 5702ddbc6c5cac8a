"""The four kernels and the dataset as Kaggle knows them: slugs, notebooks, sources, machines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from spectramind_kit import __version__
from spectramind_kit.errors import ConfigError, check_choice, nearest
from spectramind_kit.runtime import COMPETITION

ROOT = Path(__file__).resolve().parents[2]
# kernel-metadata.json at the top level says INSERT_OWNER//slug: the CLI would send INSERT_OWNER/slug, and
# refuses an empty part.
PLACEHOLDER_OWNER = "INSERT_OWNER"
DATASET_SLUG = "spectramind-kit"
KIT_WHEEL = f"spectramind_kit-{__version__}-py3-none-any.whl"
_SOURCES = ("dataset_sources", "kernel_sources", "competition_sources", "model_sources")
KERNEL_KEYS = frozenset(
    {
        *("id", "title", "code_file", "language", "kernel_type", "is_private", "machine_shape"),
        *("enable_gpu", "enable_tpu", "enable_internet", "keywords", *_SOURCES),
    }
)


@dataclass(frozen=True)
class Kernel:
    """One notebook on Kaggle."""

    name: str
    slug: str  # its address, after the owner's
    notebook: str  # relative to the project
    machine: str = ""  # empty: a CPU session
    internet: bool = False
    competition: bool = True
    reads: tuple[str, ...] = ()  # slugs of kernels whose output is attached; owner/slug for another's
    hours: float = 12.0  # of a session on Kaggle

    @property
    def title(self) -> str:
        """The one that Kaggle turns into the slug again."""
        words = self.slug.replace("-", " ")
        return words[:1].upper() + words[1:].replace("pectramind", "pectraMind", 1)


# NvidiaTeslaT4 is two T4 of 16 GB. It has to be named: the default has been a P100, which Kaggle has retired.
_T4 = "NvidiaTeslaT4"
WHEELS, _LIGHT_CURVES = "spectramind-wheels", "spectramind-light-curves"
_TRAIN, _SUBMIT = "spectramind-train", "spectramind-submit"
_ALL = (
    Kernel("wheels", WHEELS, "notebooks/00_wheels.ipynb", machine=_T4, internet=True, competition=False),
    Kernel("light_curves", _LIGHT_CURVES, "notebooks/01_light_curves.ipynb"),
    Kernel("train", _TRAIN, "notebooks/02_train.ipynb", machine=_T4, reads=(_LIGHT_CURVES,)),
    # a rerun has nine hours
    Kernel("submit", _SUBMIT, "notebooks/03_submit.ipynb", machine=_T4, reads=(_TRAIN,), hours=9.0),
)
KERNELS = {kernel.name: kernel for kernel in _ALL}


def slug_of(title: str) -> str:
    """The address that Kaggle makes of a title; where the two disagree it makes a second kernel."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def find_kernel(name: str) -> Kernel:
    """The kernel called ``name``, else ConfigError with the nearest name."""
    check_choice(name, KERNELS, what="kernel")
    return KERNELS[name]


def kernel_metadata(kernel: Kernel, *, owner: str, code_file: str) -> dict[str, object]:
    """``kernel-metadata.json`` of one kernel.

    Everything that has a default on Kaggle's side is said explicitly: ``enable_internet`` is on unless it
    says off, and a kernel with internet cannot be submitted.
    """
    metadata: dict[str, object] = {
        "id": f"{owner}/{kernel.slug}",
        "title": kernel.title,
        "code_file": code_file,
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": bool(kernel.machine),
        "enable_tpu": False,
        "enable_internet": kernel.internet,
        **({"machine_shape": kernel.machine} if kernel.machine else {}),
        "keywords": [],
        "dataset_sources": [f"{owner}/{DATASET_SLUG}"],
        "competition_sources": [COMPETITION] if kernel.competition else [],
        "kernel_sources": [name if "/" in name else f"{owner}/{name}" for name in kernel.reads],
        "model_sources": [],
    }
    check_kernel_metadata(metadata)
    return metadata


def dataset_metadata(*, owner: str) -> dict[str, object]:
    """``dataset-metadata.json`` of the dataset that carries the kit."""
    metadata: dict[str, object] = {
        "id": f"{owner}/{DATASET_SLUG}",
        "title": "SpectraMind kit",
        "subtitle": "Wheels and weights of SpectraMind for the Ariel Data Challenge",
        "description": "The SpectraMind kit as a wheel, the pure wheels that Kaggle's image lacks, and "
        "trained weights where there are any.",
        "licenses": [{"name": "apache-2.0"}],
        "keywords": [],
        # what the CLI asks for before it sends anything: a folder without the wheel is no dataset of ours
        "resources": [{"path": KIT_WHEEL, "description": "The kit: notebooks find it by its name"}],
    }
    check_dataset_metadata(metadata)
    return metadata


def check_kernel_metadata(metadata: dict[str, object]) -> None:
    """Raise ConfigError for what the stock CLI lets pass or answers with a traceback."""
    unknown = sorted(set(metadata) - KERNEL_KEYS)
    if unknown:
        raise ConfigError(
            "unknown key in kernel-metadata.json", found=unknown[0], fix=nearest(unknown[0], KERNEL_KEYS)
        )
    for key in (*_SOURCES, "keywords"):
        value = metadata.get(key, [])
        if not isinstance(value, list):
            raise ConfigError(f"{key} must be a list", found=repr(value), fix=f'write ["{value}"]')
    if metadata.get("enable_internet") is None:
        raise ConfigError(
            "enable_internet is not said",
            fix="say false: Kaggle's default is true, and such a kernel cannot be submitted",
        )
    title = str(metadata.get("title", ""))
    if not 5 <= len(title) <= 50 or slug_of(title) != str(metadata["id"]).split("/")[-1]:
        raise ConfigError(
            "the kernel's title does not turn into its slug",
            found=f"{title!r} for {metadata['id']}",
            expected="5 to 50 characters, the slug with capitals and spaces",
        )
    sources = (*metadata.get("dataset_sources", []), *metadata.get("kernel_sources", []))
    for reference in (metadata["id"], *sources):
        check_reference(str(reference))
    wrong = [slug for slug in metadata.get("competition_sources", []) if slug != COMPETITION]
    if wrong:
        raise ConfigError("wrong competition slug", found=str(wrong[0]), expected=COMPETITION)


def check_dataset_metadata(metadata: dict[str, object]) -> None:
    """Raise ConfigError for lengths and licences that Kaggle refuses."""
    check_reference(str(metadata["id"]))
    slug = str(metadata["id"]).split("/")[1]
    for name, text, low, high in (
        ("slug", slug, 6, 50),
        ("title", str(metadata["title"]), 6, 50),
        ("subtitle", str(metadata["subtitle"]), 20, 80),
    ):
        if not low <= len(text) <= high:
            raise ConfigError(
                f"the dataset's {name} is too short or too long",
                found=f"{text!r} ({len(text)} characters)",
                expected=f"{low}-{high} characters",
            )
    if len(metadata["licenses"]) != 1:  # type: ignore[arg-type]
        raise ConfigError("a dataset has exactly one licence", found=repr(metadata["licenses"]))


def check_reference(text: str) -> None:
    """Raise ConfigError unless ``text`` reads owner/slug."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*/[a-z0-9][a-z0-9-]*", text):
        raise ConfigError("not an owner/slug", found=text, expected="e.g. your-name/spectramind-kit")
