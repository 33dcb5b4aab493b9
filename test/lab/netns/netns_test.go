package netns_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/headgate/headgate/test/lab/netns"
)

var gateway = netip.MustParseAddr("10.255.0.1")

func TestMain(m *testing.M) {
	if err := netns.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := netns.AddAddress(gateway); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func open(t *testing.T, link, address string) *netns.Namespace {
	t.Helper()
	n, err := netns.New(link, netip.MustParseAddr(address), gateway)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// listen answers every connection on port 8080 inside n with greeting.
func listen(t *testing.T, n *netns.Namespace, greeting string) {
	t.Helper()
	var l net.Listener
	if err := n.Do(func() (err error) { l, err = net.Listen("tcp", ":8080"); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, greeting)
			_ = conn.Close()
		}
	}()
}

func ask(address string) (string, error) {
	conn, err := net.DialTimeout("tcp", address+":8080", 2*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	return string(answer[:n]), err
}

func TestTwoPodsListenOnTheSamePort(t *testing.T) {
	listen(t, open(t, "one", "10.244.0.1"), "one")
	listen(t, open(t, "two", "10.244.0.2"), "two")
	for address, want := range map[string]string{"10.244.0.1": "one", "10.244.0.2": "two"} {
		if got, err := ask(address); got != want || err != nil {
			t.Errorf("%s answered %q, %v; want %q", address, got, err, want)
		}
	}
}

func TestPodReachesPodAndHost(t *testing.T) {
	listen(t, open(t, "one", "10.244.0.1"), "one")
	host, err := net.Listen("tcp", "10.255.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	two := open(t, "two", "10.244.0.2")
	for _, address := range []string{"10.244.0.1:8080", "10.255.0.1:8080"} {
		err := two.Do(func() error {
			conn, err := net.DialTimeout("tcp", address, 2*time.Second)
			if err == nil {
				err = conn.Close()
			}
			return err
		})
		if err != nil {
			t.Errorf("from a pod: %v", err)
		}
	}
}

func TestFilesAreReplacedInsideOnly(t *testing.T) {
	dir := t.TempDir()
	machines, pods := filepath.Join(dir, "machines"), filepath.Join(dir, "pods")
	for _, file := range []string{machines, pods} {
		if err := os.WriteFile(file, []byte(filepath.Base(file)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var inside []byte
	err := open(t, "one", "10.244.0.1").DoWithFiles(map[string]string{machines: pods}, func() (err error) {
		inside, err = os.ReadFile(machines)
		return err
	})
	if err != nil || string(inside) != "pods" {
		t.Errorf("inside the file is %q, %v; want the pod's", inside, err)
	}
	if outside, err := os.ReadFile(machines); err != nil || string(outside) != "machines" {
		t.Errorf("outside the file is %q, %v; want the machine's", outside, err)
	}
}

func TestEveryAddressOfARangeIsReachedFromPods(t *testing.T) {
	if err := netns.AddRange(netip.MustParsePrefix("10.96.0.0/16")); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "10.96.7.7:80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = open(t, "one", "10.244.0.1").Do(func() error {
		conn, err := net.DialTimeout("tcp", "10.96.7.7:80", 2*time.Second)
		if err == nil {
			err = conn.Close()
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := net.DialTimeout("tcp", "10.96.7.8:80", 2*time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("where nobody listens: %v, want connection refused", err)
	}
}

func TestClosedPodIsRefusedAtOnce(t *testing.T) {
	n := open(t, "gone", "10.244.0.3")
	listen(t, n, "here")
	if _, err := ask("10.244.0.3"); err != nil {
		t.Fatal(err)
	}
	n.Close()
	// Without a route the kernel refuses at once. With one, the dial would wait.
	var waited net.Error
	if _, err := ask("10.244.0.3"); err == nil || errors.As(err, &waited) && waited.Timeout() {
		t.Errorf("dial of a closed pod: %v; want an error at once", err)
	}
}
