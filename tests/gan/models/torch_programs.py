"""torch_programs.py EXAMPLES FOLDER: loads every NAME.safetensors in the folder with EXAMPLES/torch_network.py, strictly, gives it the inputs that
NAME.pass.safetensors holds ("in.NAME") and compares what it says with what stands there ("out.NAME"). Prints a line for each that differs and
then how many were alike."""
import pathlib
import sys

import torch
from safetensors.torch import load_file

sys.path.insert(0, sys.argv[1])
import torch_network

torch.set_num_threads(1)
alike = 0
for file in sorted(pathlib.Path(sys.argv[2]).glob("*.safetensors")):
    if file.name.endswith(".pass.safetensors"):
        continue
    net, given = torch_network.load(file), load_file(file.with_suffix(".pass.safetensors"))
    expected = {name[4:]: value for name, value in given.items() if name.startswith("out.")}
    with torch.no_grad():
        said = net(*(given["in." + name] for name in net.program["inputs"]))
    problems = [] if set(said) == set(expected) else [f"outputs {sorted(said)}, expected {sorted(expected)}"]
    for name in set(said) & set(expected):
        away = (said[name] - expected[name]).abs().max().item() if said[name].shape == expected[name].shape else float("inf")
        if not away <= 1e-5 * max(1, expected[name].abs().max().item()):
            problems.append(f"{name} {tuple(said[name].shape)} is {away} away from {tuple(expected[name].shape)}")
    if sorted(net.state_dict()) != sorted(torch_network.safe_open(file, "pt").keys()):
        problems.append("other keys")
    print(f"{file.stem}: {'; '.join(problems)}" if problems else "", end="\n" if problems else "")
    alike += not problems
print(f"{alike} alike")
