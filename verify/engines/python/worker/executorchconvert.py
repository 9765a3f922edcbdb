# Makes ExecuTorch's file of a TorchScript module by ExecuTorch's own tools:
# "python -B -c TEXT FROM TO". torch.export follows Python code only, so the module's
# operations are called one after another from there. What XNNPACK knows is lowered to
# it; the rest are ExecuTorch's own kernels.
import sys

sys.path[:] = [entry for entry in sys.path if entry]

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower


def upsample(x, size, *_):
    # Of the two forms of this operator ExecuTorch has this one.
    return torch.ops.aten.upsample_nearest2d.vec(x, size, None)


def operator(node):
    """The operator of a node. Some of its arguments are given by their names alone."""
    schema = torch._C.parse_schema(node.schema())
    call = getattr(getattr(torch.ops.aten, schema.name[len("aten::"):]), schema.overload_name or "default")
    named = [a.name if a.kwarg_only else "" for a in schema.arguments]

    def run(*values):
        pairs = list(zip(named, values))
        return call(*[v for n, v in pairs if not n], **{n: v for n, v in pairs if n})
    return run


class Replay(torch.nn.Module):
    """The operations of a TorchScript module's graph."""

    def __init__(self, module):
        super().__init__()
        self.values, self.steps = {}, []
        objects, graph = {}, module.graph
        inputs = [i.debugName() for i in graph.inputs()]
        objects[inputs[0]], self.input = module, inputs[1]
        self.output = next(graph.outputs()).debugName()
        for node in graph.nodes():
            kind, to = node.kind(), node.output().debugName()
            of = [i.debugName() for i in node.inputs()]
            if kind == "prim::GetAttr":
                name = "value_%d" % len(self.values)
                self.register_buffer(name, getattr(objects[of[0]], node.s("name")).detach())
                self.values[to] = name
            elif kind == "prim::Constant":
                self.steps.append((None, to, node.output().toIValue()))
            elif kind == "prim::ListConstruct":
                self.steps.append((lambda *parts: list(parts), to, of))
            elif kind == "prim::TupleConstruct":
                self.steps.append((lambda *parts: parts, to, of))
            elif kind == "aten::upsample_nearest2d":
                self.steps.append((upsample, to, of))
            elif kind.startswith("aten::"):
                self.steps.append((operator(node), to, of))
            else:
                sys.exit("the module has an operation %s" % kind)

    def forward(self, picture):
        known = {to: getattr(self, name) for to, name in self.values.items()}
        known[self.input] = picture
        for call, to, of in self.steps:
            known[to] = of if call is None else call(*[known[name] for name in of])
        return known[self.output]


source, target = sys.argv[1:3]
about = {"input": ""}
module = torch.jit.load(source, _extra_files=about).eval()
shape = [int(n) for n in about["input"].decode().split(",")]
with torch.no_grad():
    exported = torch.export.export(Replay(module).eval(), (torch.rand(shape),))
    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
program = lowered.to_executorch()
if not any("executorch_call_delegate" in str(n.target) for n in lowered.exported_program().graph.nodes):
    sys.exit("nothing of the network was lowered to XNNPACK")
with open(target, "wb") as f:
    program.write_to_file(f)
