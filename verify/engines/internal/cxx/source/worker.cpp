#include "worker.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iomanip>
#include <iostream>
#include <limits>
#include <locale>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "json.hpp"

#if defined(_WIN32)
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#elif defined(__APPLE__)
#include <mach-o/dyld.h>
#include <sys/resource.h>
#endif

#if defined(__GLIBCXX__) && !defined(_GLIBCXX_HAS_GTHREADS)
#define DEPLOYCTL_NO_THREADS // MinGW's C++ library for Windows' own threads
#endif

extern "C" double deployctl_work(int threads, long rounds, double *flop, float *sink);

namespace worker {
namespace {

const int schema = 2;

#if defined(_WIN32)
std::wstring wide(const std::string &s) {
    const int n = MultiByteToWideChar(CP_UTF8, 0, s.data(), int(s.size()), nullptr, 0);
    std::wstring w(size_t(n), L'\0');
    if (n > 0) MultiByteToWideChar(CP_UTF8, 0, s.data(), int(s.size()), &w[0], n);
    return w;
}

std::string narrow(const wchar_t *w) {
    const int n = WideCharToMultiByte(CP_UTF8, 0, w, -1, nullptr, 0, nullptr, nullptr);
    std::string s(size_t(std::max(n, 1)), '\0');
    if (n > 0) WideCharToMultiByte(CP_UTF8, 0, w, -1, &s[0], n, nullptr, nullptr);
    s.pop_back(); // the zero at the end
    return s;
}
#endif

FILE *open(const std::string &file, const char *mode) {
#if defined(_WIN32)
    FILE *f = _wfopen(wide(file).c_str(), wide(mode).c_str());
#else
    FILE *f = std::fopen(file.c_str(), mode);
#endif
    if (!f) throw std::runtime_error("open " + file + ": " + std::strerror(errno));
    return f;
}

void write(const std::string &file, const void *data, size_t size) {
    FILE *f = open(file, "wb");
    const bool whole = std::fwrite(data, 1, size, f) == size;
    if (std::fclose(f) != 0 || !whole) throw std::runtime_error("write " + file + ": " + std::strerror(errno));
}

// libraries are the files whose code is mapped into this process.
std::vector<std::string> libraries() {
    std::vector<std::string> list;
#if defined(__linux__)
    std::set<std::string> seen;
    std::istringstream maps(bytes("/proc/self/maps")); // proc(5): address perms offset dev inode path
    for (std::string line; std::getline(maps, line);) {
        const size_t perms = line.find(' '), at = line.find('/');
        if (perms == std::string::npos || at == std::string::npos || line.compare(perms, 5, " r-xp") != 0) continue;
        std::string file = line.substr(at);
        if (file.find(".so") == std::string::npos) continue;
        const std::string gone = " (deleted)"; // a package upgraded meanwhile has replaced the file
        if (file.size() > gone.size() && file.compare(file.size() - gone.size(), gone.size(), gone) == 0) file.resize(file.size() - gone.size());
        if (seen.insert(file).second) list.push_back(file);
    }
#elif defined(__APPLE__)
    for (uint32_t i = 0; i < _dyld_image_count(); i++)
        if (const char *name = _dyld_get_image_name(i)) list.push_back(name);
#elif defined(_WIN32)
    // Exported by kernel32.dll under this name since Windows 7.
    typedef BOOL(WINAPI * enumerate)(HANDLE, HMODULE *, DWORD, LPDWORD);
    const auto f = reinterpret_cast<enumerate>(reinterpret_cast<void *>(GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "K32EnumProcessModules")));
    std::vector<HMODULE> modules(4096);
    DWORD needed = 0;
    if (!f || !f(GetCurrentProcess(), modules.data(), DWORD(modules.size() * sizeof(HMODULE)), &needed)) return list;
    modules.resize(std::min(modules.size(), size_t(needed) / sizeof(HMODULE)));
    std::vector<wchar_t> name(32768); // the longest path
    for (HMODULE m : modules)
        if (GetModuleFileNameW(m, name.data(), DWORD(name.size())) > 0) list.push_back(narrow(name.data()));
#endif
    return list;
}

// memory is the most memory that this process had at once in bytes, 0 for unknown.
double memory() {
#if defined(__linux__)
    std::istringstream status(bytes("/proc/self/status")); // proc(5)
    for (std::string line; std::getline(status, line);)
        if (line.compare(0, 6, "VmHWM:") == 0) return std::strtod(line.c_str() + 6, nullptr) * 1024;
#elif defined(__APPLE__)
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) return double(usage.ru_maxrss);
#elif defined(_WIN32)
    // PROCESS_MEMORY_COUNTERS of psapi.h, which kernel32.dll exports since Windows 7.
    struct {
        DWORD size, faults;
        SIZE_T peak, others[7];
    } counters = {};
    counters.size = sizeof counters;
    typedef BOOL(WINAPI * ask)(HANDLE, void *, DWORD);
    const auto f = reinterpret_cast<ask>(reinterpret_cast<void *>(GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "K32GetProcessMemoryInfo")));
    if (f && f(GetCurrentProcess(), &counters, counters.size)) return double(counters.peak);
#endif
    return 0;
}

// Reading a job.

void get(const json::Value &v, const char *name, std::string &to) {
    const json::Value *m = v.at(name);
    if (m && m->kind == json::Value::text) to = m->s;
}

void get(const json::Value &v, const char *name, int &to) {
    const json::Value *m = v.at(name);
    if (m && m->kind == json::Value::number) to = int(m->n);
}

void get(const json::Value &v, const char *name, std::vector<std::string> &to) {
    if (const json::Value *m = v.at(name))
        for (const auto &i : m->items) to.push_back(i.s);
}

void get(const json::Value &v, const char *name, std::vector<int> &to) {
    if (const json::Value *m = v.at(name))
        for (const auto &i : m->items) to.push_back(int(i.n));
}

Job read(const std::string &text) {
    const json::Value v = json::Reader(text).document();
    Job j;
    get(v, "schema", j.schema);
    get(v, "config", j.config);
    get(v, "weights", j.weights);
    get(v, "model", j.model);
    get(v, "outputs", j.outputs);
    get(v, "inputs", j.inputs);
    get(v, "width", j.width);
    get(v, "height", j.height);
    get(v, "heads", j.heads);
    get(v, "yolos", j.yolos);
    get(v, "out_dir", j.out_dir);
    get(v, "answer_file", j.answer_file);
    get(v, "backend", j.backend);
    get(v, "target", j.target);
    get(v, "threads", j.threads);
    if (const json::Value *settings = v.at("settings"))
        for (const auto &m : settings->members) j.settings[m.first] = m.second.s;
    get(v, "warmup", j.warmup);
    get(v, "runs", j.runs);
    return j;
}

// Writing an answer.

std::string show(const Tensor &t);
std::string show(const Device &d);
std::string show(const std::string &s) { return json::quote(s); }
std::string show(int n) { return std::to_string(n); }
std::string show(bool b) { return b ? "true" : "false"; }

// JSON has no word for what is not finite; deployctl refuses times below zero.
std::string show(double d) {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(17);
    out << (std::isfinite(d) ? d : -1);
    return out.str();
}

template <typename T> std::string show(const std::vector<T> &list) {
    std::string s = "[";
    for (const auto &v : list) s += (s.size() > 1 ? "," : "") + show(v);
    return s + "]";
}

template <typename T> std::string show(const std::map<std::string, T> &map) {
    std::string s = "{";
    for (const auto &v : map) s += (s.size() > 1 ? "," : "") + show(v.first) + ":" + show(v.second);
    return s + "}";
}

struct Object {
    std::string s = "{";
    template <typename T> Object &add(const char *name, const T &v) { return raw(name, show(v)); }
    Object &raw(const char *name, const std::string &v) {
        s += (s.size() > 1 ? ",\"" : "\"") + std::string(name) + "\":" + v;
        return *this;
    }
    std::string end() const { return s + "}"; }
};

std::string show(const Tensor &t) {
    return Object().add("kind", t.kind).add("layer", t.layer).add("shape", t.shape).add("file", t.file).add("input", t.input).end();
}

std::string show(const Device &d) {
    Object o;
    if (d.known) o.add("pairs", d.pairs);
    else o.raw("pairs", "null");
    if (d.has_opencl)
        o.raw("opencl", Object().add("have", d.opencl.have).add("use", d.opencl.use).add("name", d.opencl.name).add("vendor", d.opencl.vendor)
                            .add("version", d.opencl.version).add("type", d.opencl.type).add("any", d.opencl.any).end());
    if (d.has_cuda) o.raw("cuda", Object().add("count", d.cuda.count).add("names", d.cuda.names).add("capabilities", d.cuda.capabilities).end());
    o.add("built", d.built);
    if (!d.layers.empty()) o.add("layers", d.layers);
    return o.end();
}

std::string show(const Answer &a, const std::vector<std::string> &libraries) {
    Object o;
    o.add("schema", schema).add("versions", a.versions).add("backend", a.backend).add("target", a.target).add("threads", a.threads)
        .add("began", a.began).add("load_s", a.load).add("run_s", a.runs).add("other_s", a.others_seconds)
        .add("outputs", a.outputs).add("others", a.others).add("repeat", a.repeat).add("last", a.last)
        .add("run_diff", a.run_diff).add("run_most", a.run_most);
    if (!a.run_rows.empty()) o.add("run_rows", a.run_rows);
    if (a.has_device) o.add("device", a.device);
    if (!a.processor.empty()) o.add("processor", a.processor).add("processor_s", a.processor_seconds);
    o.add("peak_gflops", a.peak).add("peak_all_gflops", a.peak_all).add("peak_device_gflops", a.peak_device).add("calibration_s", a.calibration);
    std::ostringstream most;
    most << std::fixed << std::setprecision(0) << memory();
    o.raw("memory_bytes", most.str());
    o.add("libraries", libraries);
    if (!a.error.empty()) o.add("error", a.error);
    return o.end();
}

// reply writes the answer whole or not at all.
void reply(const std::string &file, const std::string &text) {
    write(file + ".part", text.data(), text.size());
#if defined(_WIN32)
    if (!MoveFileExW(wide(file + ".part").c_str(), wide(file).c_str(), MOVEFILE_REPLACE_EXISTING)) throw std::runtime_error("rename " + file);
#else
    if (std::rename((file + ".part").c_str(), file.c_str()) != 0) throw std::runtime_error("rename " + file + ": " + std::strerror(errno));
#endif
}

// Comparing the runs of the first input with the first of them.
struct Watch {
    std::vector<std::vector<float>> first;

    // distance is the relative L2 of data from what it was first, -1 where a value
    // is not finite.
    static double distance(const std::vector<float> &data, const std::vector<float> &first) {
        if (data.size() != first.size()) return -1;
        double diff = 0, norm = 0;
        for (size_t k = 0; k < data.size(); k++) {
            const double d = double(data[k]) - double(first[k]);
            diff += d * d;
            norm += double(first[k]) * double(first[k]);
        }
        if (!std::isfinite(diff) || !std::isfinite(norm)) return -1;
        if (diff == 0) return 0;
        return std::sqrt(norm == 0 ? diff : diff / norm);
    }

    void add(const std::vector<Out> &outs, Answer &a) {
        double worst = 0, most = 0;
        int changed = 0;
        for (size_t i = 0; i < outs.size(); i++) {
            const auto &data = outs[i].data;
            if (first.size() == i) first.push_back(data);
            if (outs[i].kind != "head") {
                if (worst != 0) continue;
                if (data.size() != first[i].size()) changed += int(data.size() + first[i].size());
                else
                    for (size_t k = 0; k < data.size(); k++) changed += std::memcmp(&data[k], &first[i][k], sizeof(float)) != 0;
                continue;
            }
            const double d = distance(data, first[i]);
            for (size_t k = 0; d > 0 && k < data.size(); k++) most = std::max(most, std::fabs(double(data[k]) - double(first[i][k])));
            worst = d < 0 || worst < 0 ? -1 : std::max(worst, d);
        }
        a.run_diff.push_back(worst);
        a.run_most.push_back(most);
        a.run_rows.push_back(changed);
    }
};

} // namespace

std::string bytes(const std::string &file) {
    FILE *f = open(file, "rb");
    std::string all;
    std::vector<char> part(1 << 16);
    for (size_t n; (n = std::fread(part.data(), 1, part.size(), f)) > 0;) all.append(part.data(), n);
    const bool bad = std::ferror(f) != 0;
    std::fclose(f);
    if (bad) throw std::runtime_error("read " + file + ": " + std::strerror(errno));
    return all;
}

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::vector<float> input(const Job &job, int index) {
    const std::string raw = bytes(job.inputs.at(size_t(index)));
    const size_t want = size_t(std::max(job.width, 0)) * size_t(std::max(job.height, 0)) * 3;
    if (want == 0 || raw.size() != want * sizeof(float)) {
        std::ostringstream why;
        why << "input " << job.inputs[size_t(index)] << " has " << raw.size() << " bytes, a " << job.width << "x" << job.height << " picture has " << want * sizeof(float);
        throw std::runtime_error(why.str());
    }
    // All processors that C++ workers run on are little-endian, as the file is.
    std::vector<float> data(want);
    std::memcpy(data.data(), raw.data(), raw.size());
    return data;
}

std::vector<Tensor> keep(const Job &job, const Pass &pass, const std::string &prefix, int input) {
    std::vector<Tensor> list;
    for (const Out &o : pass.outs) {
        Tensor t{o.kind, o.layer, o.shape, job.out_dir + "/" + prefix + "-" + o.kind + std::to_string(o.layer) + ".f32", input};
        write(t.file, o.data.data(), o.data.size() * sizeof(float));
        list.push_back(t);
    }
    return list;
}

void passes(const Job &job, Answer &a, const std::function<Pass(int)> &forward, const std::function<void()> &measure) {
    Watch watch;
    measure();
    for (int i = 0; i < job.warmup + job.runs; i++) {
        const Pass pass = forward(0);
        watch.add(pass.outs, a);
        a.runs.push_back(pass.seconds);
        if (i == 0) a.outputs = keep(job, pass, "first", 0);
        else if (i == job.warmup + job.runs - 1) a.last = keep(job, pass, "last", 0);
        measure();
    }
    for (int i = 1; i < int(job.inputs.size()); i++) {
        const Pass pass = forward(i);
        a.others_seconds.push_back(pass.seconds);
        for (const Tensor &t : keep(job, pass, "other" + std::to_string(i), i)) a.others.push_back(t);
    }
    const Pass pass = forward(0);
    watch.add(pass.outs, a);
    a.others_seconds.push_back(pass.seconds);
    a.repeat = keep(job, pass, "repeat", 0);
}

int serve(const char *name, const std::function<void(const Job &, Answer &)> &run) {
    Answer a;
    a.began = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    Job job;
    try {
        std::string text;
        std::vector<char> part(1 << 16);
        for (size_t n; (n = std::fread(part.data(), 1, part.size(), stdin)) > 0;) text.append(part.data(), n);
        job = read(text);
    } catch (const std::exception &e) {
        std::cerr << name << ": read job: " << e.what() << "\n";
        return 1;
    }
    try {
        if (job.schema != schema) throw std::runtime_error("job has schema " + std::to_string(job.schema) + ", this worker speaks " + std::to_string(schema));
        if (!job.inputs.empty() && (job.warmup + job.runs < 1 || job.heads.empty() || (job.model.empty() && job.heads.size() != job.yolos.size())))
            throw std::runtime_error("job without runs or heads");
        run(job, a);
    } catch (const std::bad_alloc &) {
        std::cerr << name << ": terminate called after throwing an instance of 'std::bad_alloc'\n";
        return 1; // deployctl knows these words of the C++ library
    } catch (const std::exception &e) {
        a.error = *e.what() ? e.what() : "an exception without a message";
    }
    try {
        // Now, when also what is loaded at first use (OpenCL, CUDA) is there.
        reply(job.answer_file, show(a, libraries()));
    } catch (const std::exception &e) {
        std::cerr << name << ": write answer: " << e.what() << "\n";
        return 1;
    }
    return 0;
}

// piece is how long a piece of work should take in seconds: long against the
// start of threads, short against a run.
static const double piece = 0.002;

Meter::Meter(Answer &a) : answer(a), threads(std::max(a.threads, 1)), all(threads) {
#if !defined(DEPLOYCTL_NO_THREADS)
    all = std::max(threads, int(std::thread::hardware_concurrency()));
#endif
    while (rounds < 1L << 30 && best(threads, 3) < piece) rounds *= 2;
}

// best is the shortest of so many tries, which is what other programs disturb
// least. It notes the rate.
double Meter::best(int n, int tries) {
    double shortest = std::numeric_limits<double>::infinity();
    for (int i = 0; i < tries; i++) {
        double flop = 0;
        const double took = deployctl_work(n, rounds, &flop, &sink);
        if (took <= 0) continue; // it cannot be measured here
        shortest = std::min(shortest, took);
        if (n == threads) answer.peak = std::max(answer.peak, flop / took / 1e9);
        answer.peak_all = std::max(answer.peak_all, flop / took / 1e9);
    }
    return shortest;
}

void Meter::measure() {
    const double took = best(threads, 3);
    if (std::isfinite(took)) answer.calibration.push_back(took);
    if (all > threads) best(all, 1);
}

} // namespace worker
