import os, subprocess, sys, tempfile, zipfile  # finds the kit: importable, in the checkout or in a dataset
from importlib.util import find_spec
from pathlib import Path
inputs = Path(os.environ.get("SPECTRAMIND_INPUT", "/kaggle/input"))
attached = [p for depth in ("*", "*/*", "*/*/*") for p in sorted(inputs.glob(depth))]
attached = [p for p in attached if not {"train", "test"} & set(p.parts[-2:])]
folders = [p for p in (Path.cwd(), *Path.cwd().parents, *attached) if p.is_dir()]
wanted = ("spectramind_kit", "hydra", "torch_scatter", "causal_conv1d", "mamba_ssm")
for package in [name for name in wanted if find_spec(name) is None]:
    places = [p for f in folders for p in (f / package / "__init__.py", *sorted(f.glob(f"{package}*-*.whl")))]
    found = [p for p in places if p.is_file()]
    if found:
        sys.path.insert(0, str(found[0].parents[1]) if found[0].suffix == ".py" else tempfile.mkdtemp())
    if found and found[0].name.endswith("-none-any.whl"):
        zipfile.ZipFile(found[0]).extractall(sys.path[0])
    elif found and found[0].suffix == ".whl":
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target"]
        subprocess.run([*pip, sys.path[0], str(found[0])])
nowhere = f"no spectramind_kit/ and no spectramind_kit-*.whl in {', '.join(map(str, folders))}"
assert find_spec("spectramind_kit"), f"{nowhere}: attach the kit's dataset"
