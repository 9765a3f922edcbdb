// Command netlog shows whom a program calls, for .ci/offline. The program runs
// in a network namespace with no way out but a proxy that writes down every
// request: what is not in the log was not called.
//
//	netlog proxy SOCKET LOG           outside: an HTTP proxy on a Unix socket;
//	                                  one line a request, "GET URL" or "CONNECT HOST:PORT"
//	netlog inside SOCKET COMMAND…     inside: brings the loopback up, offers the
//	                                  proxy at 127.0.0.1:3128, runs the command
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const address = "127.0.0.1:3128"

func main() {
	log.SetFlags(0)
	log.SetPrefix("netlog: ")
	if len(os.Args) < 4 {
		log.Fatal("usage: netlog proxy SOCKET LOG, or netlog inside SOCKET COMMAND…")
	}
	var err error
	switch os.Args[1] {
	case "proxy":
		err = serve(os.Args[2], os.Args[3])
	case "inside":
		err = inside(os.Args[2], os.Args[3:])
	default:
		err = fmt.Errorf("no mode is called %q", os.Args[1])
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		log.Fatal(err)
	}
}

type proxy struct {
	mu  sync.Mutex
	log io.Writer
}

func serve(socket, name string) error {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	return http.Serve(l, &proxy{log: out})
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	_, err := fmt.Fprintf(p.log, "%s %s\n", r.Method, r.RequestURI)
	p.mu.Unlock()
	if err != nil {
		log.Fatal(err) // a log with holes proves nothing
	}
	if r.Method == http.MethodConnect {
		p.tunnel(w, r)
		return
	}
	r.RequestURI = ""
	r.Header.Del("Proxy-Connection")
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close() //nolint:errcheck // read-only
	for key, values := range answer.Header {
		w.Header()[key] = values
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body) // the client sees a body cut short
}

func (p *proxy) tunnel(w http.ResponseWriter, r *http.Request) {
	out, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	in, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		log.Print(err, out.Close())
		return
	}
	_, _ = io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n")
	join(struct {
		io.Reader
		io.WriteCloser
	}{buffered, in}, out)
}

// join copies both ways until both ends are done.
func join(a, b io.ReadWriteCloser) {
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(a, b) // an end that goes away ends the connection
		_ = a.Close()
		close(done)
	}()
	_, _ = io.Copy(b, a)
	_ = b.Close()
	<-done
}

func inside(socket string, argv []string) error {
	if err := loopback(); err != nil {
		return fmt.Errorf("bring the loopback up: %w", err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				out, err := net.Dial("unix", socket)
				if err != nil {
					log.Print(err, in.Close())
					return
				}
				join(in, out)
			}()
		}
	}()
	routes, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(routes)) {
		if !strings.HasPrefix(line, "Iface") { // the heading, where there is one
			return fmt.Errorf("this namespace has routes:\n%s", routes)
		}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// loopback sets the interface's flag, since ip is not on every machine.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	r, err := unix.NewIfreq("lo")
	if err == nil {
		r.SetUint16(unix.IFF_UP)
		err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
	}
	return errors.Join(err, unix.Close(fd))
}
