// An engine that lies: preloaded (LD_PRELOAD), this library stands between the
// proof's worker and libopencv_dnn and falsifies what the variable ATTACK names:
//
//   ATTACK=WHEN:WHAT[:NUMBER]
//
// WHEN is which forward pass is touched (hits below); WHAT is a row of one of
// the tables below; NUMBER is its argument. ATTACK_RUNS is how many runs the
// worker makes of its first input, so that the last one is known. Without
// ATTACK everything is passed on, so other programs that inherit the
// variable LD_PRELOAD (compilers, pkg-config) do not notice.
//
// The functions of OpenCV that are replaced are compiled against the headers
// installed here, so the compiler gives them the mangled names of that version;
// the real ones are found by the same names with dlsym(RTLD_NEXT).
#include <dlfcn.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <opencv2/core/ocl.hpp>
#include <opencv2/dnn.hpp>

using cv::Mat;
using cv::dnn::Net;
using Mats = std::vector<Mat>;
using Names = std::vector<cv::String>;

// The suite's network (network.go): every head has three anchors of eight
// channels each: x, y, w, h, objectness and three classes. Other networks have
// as many as ATTACK_ENTRIES says.
static const int entries = getenv("ATTACK_ENTRIES") != nullptr ? atoi(getenv("ATTACK_ENTRIES")) : 8;

struct Attack {
    std::string when, what;
    double number = 0;
    int runs = 0; // of the first input
    bool on = false;
};

static Attack read() {
    Attack a;
    const char *text = getenv("ATTACK");
    if (text == nullptr) return a;
    const std::string s = text;
    const size_t one = s.find(':'), two = s.find(':', one + 1);
    a.when = s.substr(0, one);
    a.what = one == std::string::npos ? "" : s.substr(one + 1, two == std::string::npos ? two : two - one - 1);
    if (two != std::string::npos) a.number = atof(s.c_str() + two + 1);
    if (const char *runs = getenv("ATTACK_RUNS")) a.runs = atoi(runs);
    a.on = true;
    return a;
}

static const Attack &attack() {
    static const Attack a = read();
    return a;
}

static bool is(const char *what) { return attack().on && attack().what == what; }

[[noreturn]] static void give_up(const char *why) {
    fprintf(stderr, "attack: %s\n", why);
    _exit(99);
}

static void *beyond(void *mine) {
    Dl_info info;
    if (dladdr(mine, &info) == 0 || info.dli_sname == nullptr) give_up("own function not found");
    void *real = dlsym(RTLD_NEXT, info.dli_sname);
    if (real == nullptr) give_up(info.dli_sname);
    return real;
}

// real gives the function that `mine` replaces, a function or a member.
template <typename F> static F real(F mine) {
    void *p;
    memcpy(&p, &mine, sizeof p);
    p = beyond(p);
    memcpy(&mine, &p, sizeof p);
    return mine;
}

// ---- which pass is this?

// Made at first use and never destroyed: a program without OpenCV cannot make a
// Mat, nor take one apart at its end.
struct State {
    Mat first_input;          // as the worker gave it
    bool other_input = false; // the present one is another
    bool other_seen = false;
    int passes_of_first = 0;
    Mats first_outputs, other_outputs;
};

static State &state() {
    static State *s = new State;
    return *s;
}

static bool same(const Mat &a, const Mat &b) {
    return a.total() == b.total() && memcmp(a.data, b.data, a.total() * a.elemSize()) == 0;
}

// hits reports whether the pass about to be made is one to falsify.
static bool hits() {
    const std::string &w = attack().when;
    const int n = state().passes_of_first + 1; // counted from 1
    const bool timed = !state().other_input && !state().other_seen && n > 1;
    if (w == "all") return true;
    if (w == "first") return !state().other_input && n == 1;
    if (w == "later") return state().other_input || n > 1;
    if (w == "timed") return timed;
    if (w == "middle") return timed && n == 2;
    if (w == "last") return timed && n == attack().runs;
    if (w == "second") return state().other_input;
    if (w == "repeat") return !state().other_input && state().other_seen;
    give_up("unknown WHEN");
}

// ---- numbers

// rounded leaves out the lowest bits of a number, to the nearest even.
static float rounded(float v, int bits) {
    uint32_t u;
    memcpy(&u, &v, 4);
    u = (u + (1u << (bits - 1)) - 1 + ((u >> bits) & 1)) >> bits << bits;
    memcpy(&v, &u, 4);
    return v;
}

static float half(float v) { return rounded(v, 13); }

static float bfloat(float v) { return rounded(v, 16); }

static float noise() { // in -1…1, the same in every process
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return float(state >> 8) / float(1 << 23) - 1;
}

struct View { // of [1, C, H, W]
    float *p;
    int c, h, w;
    int plane() const { return h * w; }
    int len() const { return c * h * w; }
};

static View view(Mat &m) {
    if (m.dims != 4 || m.type() != CV_32F || !m.isContinuous()) give_up("not a float tensor of four dimensions");
    return {m.ptr<float>(), m.size[1], m.size[2], m.size[3]};
}

static void permute(View v, const std::function<int(int, int, int)> &from) {
    const std::vector<float> old(v.p, v.p + v.len());
    for (int c = 0; c < v.c; c++)
        for (int y = 0; y < v.h; y++)
            for (int x = 0; x < v.w; x++) v.p[(c * v.h + y) * v.w + x] = old[size_t(from(c, y, x))];
}

using Tensor = std::function<void(View, double)>;

static Tensor each(const std::function<float(float, double)> &f) {
    return [f](View v, double n) { for (int i = 0; i < v.len(); i++) v.p[i] = f(v.p[i], n); };
}

// element changes entry e of the anchor in the middle of the picture.
static Tensor element(int e) {
    return [e](View v, double n) { v.p[(entries + e) * v.plane() + v.plane() / 2] += float(n); };
}

// What can be done to a tensor, of heads and of inputs.
static const std::map<std::string, Tensor> &tensors() {
    static const std::map<std::string, Tensor> table = {
        {"nan", [](View v, double) { v.p[v.len() / 2] = NAN; }},
        {"nans", each([](float, double) { return NAN; })},
        {"inf", [](View v, double) { v.p[v.len() / 2] = INFINITY; }},
        {"-inf", [](View v, double) { v.p[v.len() - 1] = -INFINITY; }},
        {"constant", each([](float, double n) { return float(n); })},
        {"scale", each([](float v, double n) { return float(v * n); })},
        {"offset", each([](float v, double n) { return float(v + n); })},
        {"half", each([](float v, double) { return half(v); })},
        {"bfloat", each([](float v, double) { return bfloat(v); })},
        {"half-noise", each([](float v, double) { return half(v) * (1 + 1e-6f * noise()); })},
        {"int8", [](View v, double) {
             float top = 0;
             for (int i = 0; i < v.len(); i++) top = std::fmax(top, std::fabs(v.p[i]));
             for (int i = 0; i < v.len(); i++) v.p[i] = std::round(v.p[i] / top * 127) / 127 * top;
         }},
        {"drift", [](View v, double n) { // more in each run
             static int calls = 0;
             const float by = float(1 + n * (1 + calls++ / 2));
             for (int i = 0; i < v.len(); i++) v.p[i] *= by;
         }},
        {"noise", each([](float v, double n) { return v * (1 + float(n) * noise()); })},
        {"clip", each([](float v, double n) { return std::fmax(std::fmin(v, float(n)), -float(n)); })},
        {"relu", each([](float v, double) { return std::fmax(v, 0.f); })},
        {"sigmoid", each([](float v, double) { return 1 / (1 + std::exp(-v)); })},
        {"negate", each([](float v, double) { return -v; })},
        {"objectness", element(4)},
        {"print-and-lie", element(4)},
        {"class", element(6)},
        {"box-x", element(0)},
        {"box-w", element(2)},
        {"negate-one", [](View v, double) { float &x = v.p[v.len() / 3]; x = -x - 0.01f; }},
        {"exchange-two", [](View v, double) { std::swap(v.p[v.len() / 3], v.p[v.len() / 3 + v.plane() + 1]); }},
        {"roll", [](View v, double) { permute(v, [v](int c, int y, int x) { return ((c * v.h + y) * v.w + x + 1) % v.len(); }); }},
        {"transpose", [](View v, double) { permute(v, [v](int c, int y, int x) { return (c * v.h + x) * v.w + y; }); }},
        {"channels-last", [](View v, double) { permute(v, [v](int c, int y, int x) {
             const int at = (c * v.h + y) * v.w + x; // of a tensor H, W, C
             return at % v.c * v.plane() + at / v.c;
         }); }},
        {"mirror", [](View v, double) { permute(v, [v](int c, int y, int x) { return (c * v.h + y) * v.w + v.w - 1 - x; }); }},
        {"upside-down", [](View v, double) { permute(v, [v](int c, int y, int x) { return (c * v.h + v.h - 1 - y) * v.w + x; }); }},
        {"reverse-channels", [](View v, double) { permute(v, [v](int c, int y, int x) { return ((v.c - 1 - c) * v.h + y) * v.w + x; }); }},
        {"exchange-channels", [](View v, double) { permute(v, [v](int c, int y, int x) { return ((c < 2 ? 1 - c : c) * v.h + y) * v.w + x; }); }},
        {"anchors", [](View v, double) { permute(v, [v](int c, int y, int x) { return ((c < 2 * entries ? (c + entries) % (2 * entries) : c) * v.h + y) * v.w + x; }); }},
        {"channel-zero", [](View v, double) { std::fill(v.p + 7 * v.plane(), v.p + 8 * v.plane(), 0.f); }},
        {"row-zero", [](View v, double) { for (int c = 0; c < v.c; c++) std::fill(v.p + c * v.plane(), v.p + c * v.plane() + v.w, 0.f); }},
        {"pixel", [](View v, double n) { v.p[v.len() / 2] += float(n); }},
        {"lower", [](View v, double) { permute(v, [v](int c, int y, int x) { return (c * v.h + std::max(y - 1, 0)) * v.w + x; }); }},
        {"bytes", each([](float v, double) { return std::round(v * 255) / 255; })},
        {"edge", [](View v, double n) { for (int i = v.w - 1; i < v.len(); i += v.w) v.p[i] *= float(n); }},
        {"flush", each([](float v, double) { return std::fpclassify(v) == FP_SUBNORMAL ? 0.f : v; })},
    };
    return table;
}

// ---- what can be done to all outputs; heads come first, then decoded rows

static int heads(const Mats &all) { return int(all.size()) / 2; }

// box finds the strongest (or weakest) objectness and sets it.
static void box(Mats &all, bool strongest, float value) {
    float *best = nullptr;
    for (int i = 0; i < heads(all); i++) {
        const View v = view(all[size_t(i)]);
        for (int a = 0; a < v.c / entries; a++) {
            float *p = v.p + (a * entries + 4) * v.plane();
            for (int k = 0; k < v.plane(); k++)
                if (best == nullptr || (strongest ? p[k] > *best : p[k] < *best)) best = p + k;
        }
    }
    *best = value;
}

using Outputs = std::function<void(Mats &, double)>;

static void retype(Mat &m, int type) {
    Mat out;
    m.convertTo(out, type);
    m = out;
}

static const std::map<std::string, Outputs> &outputs() {
    static const std::map<std::string, Outputs> table = {
        {"stale", [](Mats &all, double) { // what the input before gave
             const Mats &old = state().other_input ? state().first_outputs : state().other_outputs;
             if (!old.empty()) all = old;
         }},
        {"stale-head", [](Mats &all, double) { if (state().other_input) all[0] = state().first_outputs[0]; }},
        {"half-stale", [](Mats &all, double) {
             if (!state().other_input) return;
             for (int i = 0; i < heads(all); i++) {
                 const View v = view(all[size_t(i)]);
                 memcpy(v.p, view(state().first_outputs[size_t(i)]).p, sizeof(float) * size_t(v.len() / 2));
             }
         }},
        {"stale-one", [](Mats &all, double) { // a single value of the input before
             if (!state().other_input) return;
             const View v = view(all[0]);
             v.p[v.len() / 2] = view(state().first_outputs[0]).p[v.len() / 2];
         }},
        {"stale-tile", [](Mats &all, double) { // a corner of one head is the first input's
             if (!state().other_input) return;
             const View v = view(all[0]), old = view(state().first_outputs[0]);
             for (int c = 0; c < v.c; c++)
                 for (int y = 0; y < 2; y++)
                     for (int x = 0; x < 2; x++) v.p[(c * v.h + y) * v.w + x] = old.p[(c * v.h + y) * v.w + x];
         }},
        {"exchange-channels-one", [](Mats &all, double) { tensors().at("exchange-channels")(view(all[1]), 0); }},
        {"exchange-heads", [](Mats &all, double) { std::swap(all[0], all[1]); }},
        {"missing-head", [](Mats &all, double) { all.pop_back(); }},
        {"empty-head", [](Mats &all, double) { all[0] = Mat(); }},
        {"short-head", [](Mats &all, double) {
             const View v = view(all[0]);
             const int size[] = {1, v.c - 1, v.h, v.w};
             all[0] = Mat(4, size, CV_32F, v.p).clone();
         }},
        {"flat-head", [](Mats &all, double) { all[0] = all[0].reshape(1, 1).clone(); }},
        {"double-heads", [](Mats &all, double) { for (int i = 0; i < heads(all); i++) retype(all[size_t(i)], CV_64F); }},
        {"half-heads", [](Mats &all, double) { for (int i = 0; i < heads(all); i++) retype(all[size_t(i)], CV_16F); }},
        {"integer-heads", [](Mats &all, double) { for (int i = 0; i < heads(all); i++) retype(all[size_t(i)], CV_32S); }},
        {"drop-box", [](Mats &all, double) { box(all, true, -20); }},
        {"add-box", [](Mats &all, double) { box(all, false, 12); }},
        {"one-head-scale", [](Mats &all, double n) { all[0] *= n; }},
        {"rows-objectness", [](Mats &all, double n) { all[size_t(heads(all))].ptr<float>()[4] += float(n); }},
        {"rows-size", [](Mats &all, double n) { Mat &m = all[size_t(heads(all))]; m.ptr<float>()[2] *= float(n); }},
        {"rows-class", [](Mats &all, double n) { Mat &m = all[size_t(heads(all))]; m.ptr<float>()[m.total() - 1] += float(n); }},
        {"rows-reversed", [](Mats &all, double) { Mat &m = all[size_t(heads(all))]; Mat out; cv::flip(m, out, 0); m = out; }},
        {"rows-nms", [](Mats &all, double) { // a box that nothing stronger overlaps is suppressed
             Mat &m = all[size_t(heads(all))];
             float *best = m.ptr<float>();
             for (float *p = best; p < m.ptr<float>() + m.total(); p += entries)
                 if (p[4] > best[4]) best = p;
             std::fill(best + 5, best + entries, 0.f);
         }},
        {"rows-scale", [](Mats &all, double n) {
             Mat &m = all[size_t(heads(all))];
             for (size_t i = 0; i < m.total(); i += size_t(entries))
                 for (size_t k = 0; k < 4; k++) m.ptr<float>()[i + k] *= float(n);
         }},
        {"rows-transposed", [](Mats &all, double) { // cells by column, not by row
             Mat &m = all[size_t(heads(all))];
             const View v = view(all[0]);
             const std::vector<float> old(m.ptr<float>(), m.ptr<float>() + m.total());
             for (int y = 0; y < v.h; y++)
                 for (int x = 0; x < v.w; x++)
                     std::copy_n(&old[size_t((x * v.h + y) * v.c)], v.c, m.ptr<float>() + (y * v.w + x) * v.c);
         }},
        {"rows-sigmoid", [](Mats &all, double) { // the logistic function once more
             Mat &m = all[size_t(heads(all))];
             for (size_t i = 4; i < m.total(); i += size_t(entries)) m.ptr<float>()[i] = 1 / (1 + std::exp(-m.ptr<float>()[i]));
         }},
        {"rows-inf", [](Mats &all, double) { all[size_t(heads(all))].ptr<float>()[2] = INFINITY; }},
        {"rows-nan", [](Mats &all, double n) { (void)n; all[size_t(heads(all))].ptr<float>()[0] = NAN; }},
        {"quiet", [](Mats &, double) {}},
    };
    return table;
}

// ---- OpenCV's functions

static void set_input(Net *net, cv::InputArray blob, const cv::String &name, double scale, const cv::Scalar &mean) {
    static const auto next = real(&Net::setInput);
    (net->*next)(blob, name, scale, mean);
}

void cv::dnn::Net::setInput(cv::InputArray blob, const cv::String &name, double scale, const cv::Scalar &mean) {
    if (!attack().on) return set_input(this, blob, name, scale, mean);
    Mat m = blob.getMat();
    if (state().first_input.empty()) state().first_input = m.clone();
    state().other_input = !same(m, state().first_input);
    const std::string &what = attack().what;
    if (what.compare(0, 6, "input-") == 0 && hits()) {
        m = m.clone();
        if (what == "input-first") {
            m = state().first_input;
        } else {
            const auto f = tensors().find(what.substr(6));
            if (f == tensors().end()) give_up("unknown WHAT");
            f->second(view(m), attack().number);
        }
    }
    set_input(this, m, name, scale, mean);
}

using Forward = void (Net::*)(cv::OutputArrayOfArrays, const Names &);

static void run(Net *net, cv::OutputArrayOfArrays out, const Names &names) {
    static const Forward next = real(Forward(&Net::forward));
    (net->*next)(out, names);
}

// misbehave is for what is no number. It reports whether the pass is done.
static bool misbehave(Mats &all) {
    if (is("abort")) abort();
    if (is("crash")) *static_cast<volatile int *>(nullptr) = 1;
    if (is("exit")) _exit(0);
    if (is("exit-3")) _exit(3);
    if (is("trap")) __builtin_trap(); // an illegal instruction
    if (is("hang")) for (;;) pause();
    if (is("throw")) throw std::runtime_error("attack: the forward pass failed");
    if (is("no-memory")) throw std::bad_alloc();
    if (is("print") || is("print-and-lie")) {
        printf("{\"schema\":2,\"error\":\"\"}\nbuild log\n");
        fflush(stdout);
        fprintf(stderr, "a warning of the driver\n");
    }
    if (is("skip")) { // the answer of before, without any work
        all = state().other_input ? state().other_outputs : state().first_outputs;
        return !all.empty();
    }
    return false;
}

static void falsify(Mats &all) {
    const std::string &what = attack().what;
    if (what.compare(0, 6, "input-") == 0) return;
    for (Mat &m : all) m = m.clone(); // they may be the network's own memory
    if (const auto f = outputs().find(what); f != outputs().end()) return f->second(all, attack().number);
    if (const auto f = tensors().find(what); f != tensors().end())
        for (int i = 0; i < heads(all); i++) f->second(view(all[size_t(i)]), attack().number);
}

void cv::dnn::Net::forward(cv::OutputArrayOfArrays out, const Names &names) {
    // Nets that the proof runs for its own purposes have inputs of their own.
    if (!attack().on) return run(this, out, names);
    Mats &all = *static_cast<Mats *>(out.getObj());
    const bool hit = hits();
    if (!(hit && misbehave(all))) run(this, out, names);
    Mats truth;
    for (const Mat &m : all) truth.push_back(m.clone());
    if (hit) falsify(all);
    if (state().other_input) {
        state().other_seen = true;
        state().other_outputs = truth;
    } else {
        state().passes_of_first++;
        state().first_outputs = truth;
    }
}

// ---- another network than the one that was asked for

static std::string content(const std::string &file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

static std::string replaced(const std::string &text, const std::string &from, const std::string &to) {
    const size_t at = text.find(from);
    if (at == std::string::npos) give_up("nothing to replace in the cfg");
    return text.substr(0, at) + to + text.substr(at + from.size());
}

using Change = std::function<std::string(std::string, double)>;

static Change weight(const std::function<float(float, size_t, double)> &f) {
    return [f](std::string s, double n) {
        for (size_t i = 20; i + 4 <= s.size(); i += 4) { // after the header
            float v;
            memcpy(&v, &s[i], 4);
            v = f(v, i / 4, n);
            memcpy(&s[i], &v, 4);
        }
        return s;
    };
}

static const std::map<std::string, Change> &weights() {
    static const std::map<std::string, Change> table = {
        {"weights-half", weight([](float v, size_t, double) { return half(v); })},
        {"weights-bfloat", weight([](float v, size_t, double) { return bfloat(v); })},
        {"weights-scale", weight([](float v, size_t, double n) { return float(v * n); })},
        {"weights-one", weight([](float v, size_t i, double) { return i == 1000 ? -v : v; })},
        {"weights-int8", weight([](float v, size_t, double) { return std::round(v * 64) / 64; })},
        // Batch normalization's variances of the first layer, of 16 filters, lie
        // behind the header's 5 values, its biases, scales and means.
        {"weights-epsilon", weight([](float v, size_t i, double n) { return i >= 5 + 48 && i < 5 + 64 ? float(v + n) : v; })},
        {"weights-shift", [](std::string s, double) { return s.substr(0, 20) + s.substr(24) + s.substr(20, 4); }},
    };
    return table;
}

static const std::map<std::string, Change> &configs() {
    static const std::map<std::string, Change> table = {
        {"cfg-activation", [](std::string s, double) { return replaced(s, "activation=leaky", "activation=relu"); }},
        {"cfg-shortcut", [](std::string s, double) { return replaced(s, "from=-3", "from=-2"); }},
        {"cfg-anchors", [](std::string s, double) { return replaced(s, "30,61", "33,61"); }},
        {"cfg-mask", [](std::string s, double) { return replaced(s, "mask=3,4,5", "mask=0,1,2"); }},
        {"cfg-logistic", [](std::string s, double) { return replaced(s, "activation=linear\n[yolo]", "activation=logistic\n[yolo]"); }},
    };
    return table;
}

static std::string kept(const std::string &name, const std::string &data) {
    std::ofstream(name, std::ios::binary) << data; // in the worker's own folder
    return name;
}

namespace cv { namespace dnn {
CV__DNN_INLINE_NS_BEGIN

Net readNet(const cv::String &model, const cv::String &config, const cv::String &framework) {
    static const auto next = real(static_cast<Net (*)(const cv::String &, const cv::String &, const cv::String &)>(&cv::dnn::readNet));
    if (is("empty-net")) return Net();
    const std::string &what = attack().what;
    if (const auto f = weights().find(what); f != weights().end())
        return next(kept("other.weights", f->second(content(model), attack().number)), config, framework);
    if (const auto f = configs().find(what); f != configs().end())
        return next(model, kept("other.cfg", f->second(content(config), 0)), framework);
    return next(model, config, framework);
}

// ---- targets

void Net::setPreferableTarget(int target) {
    static const auto next = real(&Net::setPreferableTarget);
    if (is("target-cpu") || is("target-lie")) target = DNN_TARGET_CPU; // whatever was asked for
    (this->*next)(target);
}

String Net::dump() {
    static const auto next = real(&Net::dump);
    String s = (this->*next)();
    if (!is("target-lie")) return s;
    for (size_t at; (at = s.find("/CPU")) != String::npos;) s.replace(at, 4, "/OCL");
    return s;
}

std::vector<std::pair<Backend, Target>> getAvailableBackends() {
    static const auto next = real(&cv::dnn::getAvailableBackends);
    auto list = next();
    if (is("claim-cuda")) list.emplace_back(DNN_BACKEND_CUDA, DNN_TARGET_CUDA);
    if (is("claim-half")) list.emplace_back(DNN_BACKEND_OPENCV, DNN_TARGET_OPENCL_FP16);
    return list;
}

CV__DNN_INLINE_NS_END
}} // cv::dnn
