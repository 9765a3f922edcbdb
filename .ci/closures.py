"""Compares deployctl deps with objdump, readelf and llvm for every program and
library below the folders given: closures.py DEPLOYCTL FOLDER...

For each file: the libraries that deps names as needed by it, and by each file that it
found, are those of the other tool; one that lies in the same folder is found, unless it
is a part of the system; and where this machine runs the file, the files are ldd's."""
import json, os, re, subprocess, sys

MACHO = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


def lines(*command):
    out = subprocess.run(command, capture_output=True, timeout=300)
    if out.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {out.stderr.decode(errors='replace')[:300]}")
    return out.stdout.decode(errors="replace").splitlines()


def kind(path):
    with open(path, "rb") as f:
        head = f.read(0x40)
        if head[:4] == b"\x7fELF":
            return "elf"
        if head[:4] in MACHO:
            return "macho"
        if head[:2] == b"MZ" and len(head) == 0x40:
            f.seek(int.from_bytes(head[0x3C:0x40], "little"))
            return "pe" if f.read(4) == b"PE\0\0" else ""
    return ""


KNOWN = {}


def needed(path):
    """The names a file needs, as the other tool tells."""
    real = os.path.realpath(path)
    if real not in KNOWN:
        KNOWN[real] = read(real)
    return KNOWN[real]


def read(path):
    names = set()
    what = kind(path)
    if what == "elf":
        for line in lines("readelf", "-dW", path):
            if m := re.search(r"\(NEEDED\).*\[(.+)\]", line):
                names.add(m[1])
    elif what == "pe":
        inside = False
        for line in lines("llvm-readobj", "--coff-imports", path):
            inside = inside or bool(re.match(r"(Delay)?Import \{", line))
            if inside and (m := re.match(r"\s+Name: (.+)", line)):
                names.add(m[1].lower())
                inside = False
    elif what == "macho":
        own = {l.strip() for l in lines("llvm-objdump", "--macho", "--dylib-id", path)}
        for line in lines("llvm-objdump", "--macho", "--dylibs-used", path):
            if (m := re.match(r"\s+(\S.*) \(compatibility", line)) and m[1] not in own:
                names.add(m[1])
    return names


def compare(deployctl, path):
    """What differs, as sentences; None where the file is not one that is loaded."""
    what = kind(path)
    if not what:
        return None
    run = subprocess.run([deployctl, "deps", path, "--all", "--format", "json"], capture_output=True, timeout=300)
    try:
        answer = json.loads(run.stdout)
    except ValueError:
        return [f"deps: exit {run.returncode}: {run.stderr.decode(errors='replace')[:300]}"]
    low = str.lower if what == "pe" else str
    names, wrong = {low(l["name"]) for l in answer["libraries"]}, []
    files = {path} | {l["file"] for l in answer["libraries"] if l.get("file") and l["state"] == "found" and os.path.exists(l["file"])}
    for file in files:
        for name in needed(file) - names:
            wrong.append(f"{name}, which {file} needs, is missing from deps' answer")
    here = {low(n) for n in os.listdir(os.path.dirname(path))}
    for l in answer["libraries"]:
        if os.path.exists(l["by"]) and low(l["name"]) not in needed(l["by"]):
            wrong.append(f"{l['name']} is not needed by {l['by']}")
        if what == "pe" and low(l["name"]) in here and l["state"] not in ("found", "system"):
            wrong.append(f"{l['name']} lies in the same folder, and is {l['state']}")
    if what == "elf" and answer["here"]:
        ldd = {}
        for line in lines("ldd", path):
            if m := re.match(r"\s+(\S+) => (/\S+) \(", line):
                ldd[m[1]] = os.path.realpath(m[2])
        for l in answer["libraries"]:
            if l["name"] in ldd and l.get("file") and os.path.realpath(l["file"]) != ldd[l["name"]]:
                wrong.append(f"{l['name']} is {l['file']}, and ldd says {ldd[l['name']]}")
        for name in set(ldd) - names:
            wrong.append(f"{name}, which ldd names, is missing from deps' answer")
    return wrong


def main(deployctl, *folders):
    bad = 0
    for folder in folders:
        count, differ = {"elf": 0, "pe": 0, "macho": 0}, 0
        for top, _, names in sorted(os.walk(folder)):
            for name in sorted(names):
                path = os.path.join(top, name)
                if os.path.islink(path) or not os.path.isfile(path):
                    continue
                wrong = compare(deployctl, path)
                if wrong is None:
                    continue
                count[kind(path)] += 1
                if wrong:
                    differ += 1
                    print(f"FAIL  {path}\n      " + "\n      ".join(wrong[:5]))
        print(f"{folder}: {count['elf']} ELF, {count['pe']} PE, {count['macho']} Mach-O; {differ} differ")
        bad += differ
        if not sum(count.values()):
            print(f"FAIL  {folder} has no programs or libraries")
            bad += 1
    return 1 if bad else 0


sys.exit(main(*sys.argv[1:]))
