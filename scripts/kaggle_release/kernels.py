"""The four kernels and the dataset as Kaggle knows them: slugs, notebooks, sources, machines."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from spectramind_kit.errors import ConfigError, DataError, check_choice, in_words, nearest
from spectramind_kit.runtime import COMPETITION

ROOT = Path(__file__).resolve().parents[2]
PLACEHOLDER_OWNER = "INSERT_OWNER"
DATASET_SLUG = "spectramind-kit"
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
    notebook: str  # relative to the project
    machine: str = ""  # empty: a CPU session
    internet: bool = False
    competition: bool = True
    after: tuple[str, ...] = ()  # kernels whose output it reads

    @property
    def title(self) -> str:
        return f"SpectraMind {self.name.replace('_', ' ')}"

    @property
    def slug(self) -> str:
        return slug_of(self.title)


# NvidiaTeslaT4 is two T4 of 16 GB. It has to be named: the default has been a P100, which Kaggle has retired.
_T4 = "NvidiaTeslaT4"
_ALL = (
    Kernel("wheels", "notebooks/00_wheels.ipynb", machine=_T4, internet=True, competition=False),
    Kernel("light_curves", "notebooks/01_light_curves.ipynb"),
    Kernel("train", "notebooks/02_train.ipynb", machine=_T4, after=("light_curves",)),
    Kernel("submit", "notebooks/03_submit.ipynb", machine=_T4, after=("train",)),
)
KERNELS = {kernel.name: kernel for kernel in _ALL}


def slug_of(title: str) -> str:
    """The address that Kaggle makes of a title; where the two disagree it makes a second kernel."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def find_kernel(name: str) -> Kernel:
    """The kernel called ``name``, else ConfigError with the nearest name."""
    check_choice(name, KERNELS, what="kernel")
    return KERNELS[name]


def kernel_metadata(
    kernel: Kernel, *, owner: str, code_file: str, with_wheels: bool = False
) -> dict[str, object]:
    """``kernel-metadata.json`` of one kernel.

    Everything that has a default on Kaggle's side is said explicitly: ``enable_internet`` is on unless it
    says off, and a kernel with internet cannot be submitted.
    """
    after = [*kernel.after, *(["wheels"] if with_wheels and kernel.name in ("train", "submit") else [])]
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
        "kernel_sources": [f"{owner}/{KERNELS[name].slug}" for name in after],
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
    if len(title) < 5 or slug_of(title) != str(metadata["id"]).split("/")[-1]:
        raise ConfigError(
            "the kernel's title does not turn into its slug",
            found=f"{title!r} for {metadata['id']}",
            expected="5 characters or more, the slug with capitals and spaces",
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


def write_kernel_folder(
    kernel: Kernel, folder: Path, *, owner: str, with_wheels: bool = False, root: Path = ROOT
) -> Path:
    """Fill ``folder`` with the notebook and ``kernel-metadata.json``, as `kaggle kernels push -p` takes them.

    Raises DataError when the notebook is missing or is not one.
    """
    notebook = root / kernel.notebook
    if not notebook.is_file():
        fix = nearest(notebook.name, [p.name for p in notebook.parent.glob("*.ipynb")])
        raise DataError("the notebook does not exist", where=str(notebook), fix=fix)
    try:
        json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("the file is not a notebook", where=str(notebook), found=in_words(error)) from error
    folder.mkdir(parents=True, exist_ok=True)
    (folder / notebook.name).write_text(notebook.read_text(encoding="utf-8"), encoding="utf-8")
    metadata = kernel_metadata(kernel, owner=owner, code_file=notebook.name, with_wheels=with_wheels)
    (folder / "kernel-metadata.json").write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    return folder
