import os, subprocess, sys, tempfile, zipfile  # finds the kit: importable, else in the checkout or an attached dataset
from importlib.util import find_spec
from pathlib import Path
inputs = Path(os.environ.get("SPECTRAMIND_INPUT", "/kaggle/input"))
attached = [p for depth in ("*", "*/*", "*/*/*") for p in sorted(inputs.glob(depth)) if not {"train", "test"} & set(p.parts[-2:])]
folders = [p for p in (Path.cwd(), *Path.cwd().parents, *attached) if p.is_dir()]
for package in [name for name in ("spectramind_kit", "hydra", "torch_scatter", "causal_conv1d", "mamba_ssm") if find_spec(name) is None]:
    found = [p for f in folders for p in (f / package / "__init__.py", *sorted(f.glob(f"{package}*-*.whl"))) if p.is_file()]
    if found:
        sys.path.insert(0, str(found[0].parents[1]) if found[0].suffix == ".py" else tempfile.mkdtemp())
    if found and found[0].name.endswith("-none-any.whl"):
        zipfile.ZipFile(found[0]).extractall(sys.path[0])
    elif found and found[0].suffix == ".whl":
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", sys.path[0], str(found[0])])
assert find_spec("spectramind_kit"), f"no spectramind_kit/ and no spectramind_kit-*.whl in {', '.join(map(str, folders))}: attach the kit's dataset"
