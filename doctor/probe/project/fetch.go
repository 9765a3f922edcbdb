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
	problem facts.FileProblem
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

// download is one that such a log has, with the lines that follow it up to the next.
type download struct {
	path, url string
	at        int // its line
	lines     []string
}

// downloads are those of a log.
func downloads(text string) (list []download) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "#cmake_download "); ok {
			if quoted := strings.Split(rest, `"`); len(quoted) > 3 {
				list = append(list, download{path: quoted[1], url: quoted[3], at: n})
			}
		} else if len(list) > 0 {
			last := &list[len(list)-1]
			last.lines = append(last.lines, line)
		}
	}
	return list
}

// problem is the first that the lines of a download name; "" for none.
func (d download) problem() facts.FileProblem {
	for _, line := range d.lines {
		if strings.HasPrefix(line, "#use_cache") || strings.HasPrefix(line, "#do_") {
			break
		}
		for _, f := range fetchProblems {
			if strings.Contains(line, f.says) {
				return f.problem
			}
		}
	}
	return ""
}

// unseen reports whether nothing looked at the file of a download after it: CMake went on
// without that part, or it is the last in the log.
func (d download) unseen(last bool) bool {
	for _, line := range d.lines {
		switch word, _, _ := strings.Cut(line, " "); word {
		case "#check_md5", "#copy", "#unpack":
			return false
		case "do_copy", "do_unpack", "#do_copy", "#do_unpack":
			return true
		}
	}
	return last
}

// failedDownloads reads the log that OpenCV's CMake writes of its downloads in a build
// folder, anew in each run (cmake/OpenCVDownload.cmake), for those that failed in the last
// one: for a reason that libcurl gave, or whose files nothing looked at after them and that
// are not there, whatever the log says of why.
func (p *prober) failedDownloads(dir string) {
	const most = 64
	file := p.h.Join(dir, "CMakeDownloadLog.txt")
	list := downloads(p.text(file))
	for i, d := range list {
		f := facts.Download{Path: d.path, Problem: d.problem(), URL: d.url, File: file, Line: d.at}
		if p.h.Windows() {
			f.Path = strings.ReplaceAll(f.Path, "/", `\`)
		}
		f.Name = f.Path[strings.LastIndexAny(f.Path, `/\`)+1:]
		// In the cache each file has its sum before its name.
		if sum, name, ok := strings.Cut(f.Name, "-"); ok && len(sum) == 32 {
			f.Name = name
		}
		if f.Problem == "" && d.unseen(i == len(list)-1) && !p.h.Exists(p.ctx, f.Path) {
			f.Problem = facts.NotFetched
		}
		if f.Problem != "" && len(p.p.Downloads) < most && !slices.Contains(p.p.Downloads, f) {
			p.p.Downloads = append(p.p.Downloads, f)
		}
	}
}
