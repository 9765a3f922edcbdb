// The part of JSON that jobs and answers need.
#ifndef DEPLOYCTL_JSON_HPP
#define DEPLOYCTL_JSON_HPP

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace json {

struct Value {
    enum Kind { null, boolean, number, text, list, object } kind = null;
    double n = 0;
    std::string s;
    std::vector<Value> items;
    std::vector<std::pair<std::string, Value>> members;

    // at is the member of that name, nullptr where there is none.
    const Value *at(const char *name) const {
        for (const auto &m : members)
            if (m.first == name) return &m.second;
        return nullptr;
    }
};

class Reader {
public:
    explicit Reader(const std::string &text) : p(text.c_str()), end(p + text.size()) {}

    Value document() {
        Value v = value(0);
        space();
        if (p != end) fail("text after the end");
        return v;
    }

private:
    const char *p, *end;

    [[noreturn]] void fail(const char *what) { throw std::runtime_error(std::string("not JSON: ") + what); }
    char peek() { return p < end ? *p : '\0'; }
    void space() {
        while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
    }
    void expect(char c) {
        space();
        if (peek() != c) fail("something else was expected");
        p++;
    }
    bool word(const char *w) {
        const char *q = p;
        for (; *w; w++, q++)
            if (q >= end || *q != *w) return false;
        p = q;
        return true;
    }

    Value value(int depth) {
        if (depth > 32) fail("too deep");
        space();
        Value v;
        switch (peek()) {
        case '{':
            v.kind = Value::object;
            for (p++, space(); peek() != '}'; space()) {
                if (!v.members.empty()) expect(',');
                space();
                std::string name = text();
                expect(':');
                v.members.emplace_back(std::move(name), value(depth + 1));
            }
            p++;
            return v;
        case '[':
            v.kind = Value::list;
            for (p++, space(); peek() != ']'; space()) {
                if (!v.items.empty()) expect(',');
                v.items.push_back(value(depth + 1));
            }
            p++;
            return v;
        case '"':
            v.kind = Value::text;
            v.s = text();
            return v;
        }
        if (word("null")) return v;
        if (word("true") || word("false")) {
            v.kind = Value::boolean;
            v.n = p[-2] == 'u';
            return v;
        }
        char *after = nullptr;
        v.kind = Value::number;
        v.n = std::strtod(p, &after); // the text ends with a zero byte
        if (after == p || after > end) fail("a value was expected");
        p = after;
        return v;
    }

    std::string text() {
        if (peek() != '"') fail("a string was expected");
        std::string s;
        for (p++; p < end && *p != '"';) {
            if (*p != '\\') {
                s += *p++;
                continue;
            }
            if (++p == end) break;
            switch (char c = *p++) {
            case 'n': s += '\n'; break;
            case 't': s += '\t'; break;
            case 'r': s += '\r'; break;
            case 'b': s += '\b'; break;
            case 'f': s += '\f'; break;
            case 'u': {
                uint32_t u = hex();
                if (u >= 0xD800 && u < 0xDC00 && word("\\u")) u = 0x10000 + ((u - 0xD800) << 10) + (hex() - 0xDC00);
                utf8(s, u);
                break;
            }
            default: s += c;
            }
        }
        if (p >= end) fail("a string has no end");
        p++;
        return s;
    }

    uint32_t hex() {
        if (end - p < 4) fail("a string has no end");
        char *after = nullptr;
        const std::string digits(p, 4);
        const uint32_t u = uint32_t(std::strtoul(digits.c_str(), &after, 16));
        if (*after) fail("\\u without four digits");
        p += 4;
        return u;
    }

    static void utf8(std::string &s, uint32_t u) {
        if (u < 0x80) {
            s += char(u);
        } else if (u < 0x800) {
            s += char(0xC0 | u >> 6);
            s += char(0x80 | (u & 63));
        } else if (u < 0x10000) {
            s += char(0xE0 | u >> 12);
            s += char(0x80 | (u >> 6 & 63));
            s += char(0x80 | (u & 63));
        } else {
            s += char(0xF0 | u >> 18);
            s += char(0x80 | (u >> 12 & 63));
            s += char(0x80 | (u >> 6 & 63));
            s += char(0x80 | (u & 63));
        }
    }
};

// quote writes a string. Its bytes are kept, whatever their encoding.
inline std::string quote(const std::string &s) {
    std::string out = "\"";
    for (const char c : s) {
        char code[8];
        if (c == '"' || c == '\\') {
            (out += '\\') += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            std::snprintf(code, sizeof code, "\\u%04x", c);
            out += code;
        } else {
            out += c;
        }
    }
    return out + "\"";
}

} // namespace json

#endif
