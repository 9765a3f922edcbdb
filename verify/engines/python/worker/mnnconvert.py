# Makes MNN's file of an ONNX file by MNN's own converter: "python -B -c TEXT FROM TO".
# The converter is called directly: the module MNN.tools.mnnconvert around it installs
# a package through pip and reports its use over the network.
import os
import sys

sys.path[:] = [entry for entry in sys.path if entry]

import _tools

source, target = sys.argv[1:3]
_tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", source, "--MNNModel", target, "--bizCode", "deployctl"])
if not os.path.isfile(target) or os.path.getsize(target) == 0:
    sys.exit("MNN's converter wrote nothing")
