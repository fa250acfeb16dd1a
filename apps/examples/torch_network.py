"""load("g.safetensors")(torch.randn(64, 100))["images"]: a network of `duel export` in PyTorch, in evaluation mode. Format: gan/models/program.h."""
import ast, json, torch, torch.nn as nn
from safetensors import safe_open, torch as weights

OPS = {f: getattr(torch, f, None) or getattr(nn.functional, f) for f in (
    "add sub mul div neg exp log sqrt rsqrt square abs sin cos reciprocal maximum minimum relu tanh sigmoid softmax sum mean "
    "leaky_relu elu softplus gelu permute clamp reshape broadcast_to linear conv2d conv_transpose2d avg_pool2d max_pool2d").split()}
OPS |= dict(slice=torch.narrow, rows=torch.narrow, max=torch.amax, clamp_min=torch.clamp, clamp_max=torch.clamp, add_scalar=torch.add,
            mul_scalar=torch.mul, div_scalar=torch.div, pow_scalar=lambda x, other: x**other, scalar_div=lambda x, other: other / x,
            matmul=lambda a, b, transpose_a, transpose_b: (a.mT if transpose_a else a) @ (b.mT if transpose_b else b),
            concat=lambda *x, dim: torch.cat(x, dim), upsample_nearest2d=nn.functional.interpolate, sample_norm=lambda x: x.flatten(1).norm(dim=1),
            one_hot=lambda x, num_classes: nn.functional.one_hot(x, num_classes) * 1.0)
class Network(nn.Module):
    def __init__(self, program):
        super().__init__()
        self.program = program
        make = {"layers": self.layer, "parameters": lambda shape: nn.Parameter(torch.zeros(shape)), "buffers": torch.zeros}
        for path, thing in ((path, made(what)) for kind, made in make.items() for path, what in program[kind].items()):
            module, (*above, name) = self, path.split(".")
            for part in above:
                module = module._modules.setdefault(part, nn.Module())
            (module.register_buffer if type(thing) is torch.Tensor else module.__setattr__)(name, thing)
    def layer(self, text):  # "Conv2d(1, 64, kernel_size=4, stride=2, padding=1)", alone or in SpectralNorm(…)
        if text.startswith("SpectralNorm("):
            return nn.utils.spectral_norm(self.layer(text[13:-1]))
        call = ast.parse(text, mode="eval").body
        return getattr(nn, call.func.id)(*map(ast.literal_eval, call.args), **{k.arg: ast.literal_eval(k.value) for k in call.keywords})
    def sized(self, v, n):  # {"batch": b, "plus": a} is a + b N
        return [self.sized(x, n) for x in v] if isinstance(v, list) else v["batch"] * n + v["plus"] if isinstance(v, dict) else v
    def forward(self, *inputs):
        known, done = {None: None, **dict(zip(self.program["inputs"], inputs)), **dict(self.named_parameters()), **dict(self.named_buffers())}, []
        for op, given, options in self.program["steps"]:
            run = self.get_submodule(op[6:]) if op.startswith("layer ") else OPS[op.removesuffix("_batched")]
            done.append(run(*(done[x] if type(x) is int else known[x] for x in given), **{k: self.sized(v, len(inputs[0])) for k, v in options.items()}))
        return {name: done[x] if type(x) is int else known[x] for name, x in self.program["outputs"].items()}

def load(file):
    net = Network(json.loads(safe_open(file, "pt").metadata()["program"]))
    net.load_state_dict(weights.load_file(file), strict=True)
    return net.eval()
