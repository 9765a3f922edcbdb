# Says where the Python that runs this finds a module, without importing it:
# "python -B -c TEXT MODULE PATTERN…". The patterns are those of the module's
# libraries, relative to the folder that the module lies in.
import sys

sys.path[:] = [entry for entry in sys.path if entry]

import glob
import importlib.util
import json
import os
import re


def main(module, patterns, packages):
    answer = {"executable": sys.executable, "python": "%d.%d.%d" % sys.version_info[:3], "path": sys.path}
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return answer
    folders = list(spec.submodule_search_locations or [])
    answer["location"] = folders[0] if folders else spec.origin
    site = os.path.dirname(answer["location"])
    for pattern in patterns:
        found = sorted(f for f in glob.glob(os.path.join(glob.escape(site), pattern)) if os.path.isfile(f))
        if found:
            answer["library"] = found[0]
            break
    for name in os.listdir(site):
        m = re.match(r"(.+?)-([^-]+?)(?:-py[\d.]+)?\.(?:dist|egg)-info$", name)
        if m and re.sub(r"[-_.]+", "-", m.group(1)).lower() in packages:
            answer["package"], answer["version"] = re.sub(r"[-_.]+", "-", m.group(1)).lower(), m.group(2)
    return answer


question = json.loads(sys.argv[1])
print("\n" + json.dumps(main(question["module"], question["files"], question["packages"])))
