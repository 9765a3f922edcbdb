package project

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
)

// fetchProblems are what libcurl writes into CMake's log of a download that fails, in
// the order in which they tell more.
var fetchProblems = []struct {
	says    string
	problem facts.FetchProblem
}{
	{`Protocol "https" not supported`, facts.FetchNoHTTPS},
	{"Protocol https not supported", facts.FetchNoHTTPS},
	{`Protocol "https" disabled`, facts.FetchNoHTTPS},
	{"SSL certificate problem", facts.FetchCertificate},
	{"certificate verification failed", facts.FetchCertificate},
	{"certificate verify failed", facts.FetchCertificate},
	{"error setting certificate", facts.FetchCertificate},
	{"Could not resolve", facts.FetchNoHost},
	{"Couldn't resolve", facts.FetchNoHost},
	{"Failed to connect to", facts.FetchNoConnect},
	{"Connection refused", facts.FetchNoConnect},
	{"Recv failure", facts.FetchCutOff},
	{"Connection reset", facts.FetchCutOff},
	{"transfer closed with", facts.FetchCutOff},
	{"Operation too slow", facts.FetchCutOff},
	{"Operation timed out", facts.FetchCutOff},
	{"Connection timed out", facts.FetchNoConnect},
}

// fetches reads the log that OpenCV's CMake writes of its downloads, anew in each run
// (cmake/OpenCVDownload.cmake), for those that failed in the last one.
func (p *prober) fetches() {
	if !slices.Contains(p.p.Kinds, "opencv") {
		return
	}
	file := p.h.Join(p.h.Dir, "CMakeDownloadLog.txt")
	text := p.text(file)
	if text == "" {
		file = p.h.Join(p.dir, "build", "CMakeDownloadLog.txt")
		text = p.text(file)
	}
	p.p.Fetches = failedFetches(file, text)
}

// failedFetches reads such a log.
func failedFetches(file, text string) (list []facts.Fetch) {
	const most = 64
	n := 0
	var last facts.Fetch
	flush := func() {
		if last.Problem != "" && len(list) < most {
			list = append(list, last)
		}
		last = facts.Fetch{}
	}
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "#cmake_download "); ok {
			flush()
			quoted := strings.Split(rest, `"`)
			if len(quoted) < 4 {
				continue
			}
			last = facts.Fetch{Path: quoted[1], URL: quoted[3], File: file, Line: n}
			last.Name = last.Path[strings.LastIndexAny(last.Path, `/\`)+1:]
			// In the cache each file has its sum before its name.
			if sum, name, ok := strings.Cut(last.Name, "-"); ok && len(sum) == 32 {
				last.Name = name
			}
			continue
		}
		if strings.HasPrefix(line, "#use_cache") || strings.HasPrefix(line, "#do_") {
			flush()
		}
		if last.Path == "" {
			continue
		}
		for _, f := range fetchProblems {
			if last.Problem == "" && strings.Contains(line, f.says) {
				last.Problem = f.problem
			}
		}
	}
	flush()
	return list
}
