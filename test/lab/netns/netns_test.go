package netns_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
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

func TestClosedPodIsRefusedAtOnce(t *testing.T) {
	n := open(t, "gone", "10.244.0.3")
	listen(t, n, "here")
	if _, err := ask("10.244.0.3"); err != nil {
		t.Fatal(err)
	}
	n.Close()
	start := time.Now()
	if _, err := ask("10.244.0.3"); err == nil || time.Since(start) > time.Second {
		t.Errorf("dial of a closed pod: %v after %s; want an error at once", err, time.Since(start))
	}
}
