package certs

import (
	"bytes"
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
)

// mount writes data into dir as the kubelet does: into a new directory, to which one link then
// points instead of to the one before.
func mount(t *testing.T, dir string, data map[string][]byte) {
	t.Helper()
	fresh, err := os.MkdirTemp(dir, "..")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range data {
		if err := os.WriteFile(filepath.Join(fresh, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "..data")
	if err := os.Symlink(filepath.Base(fresh), link+"_tmp"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+"_tmp", link); err != nil {
		t.Fatal(err)
	}
	for name := range data {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
}

// newPair makes a certificate for the Service headgate in headgate-system.
func newPair(t *testing.T, lifetime time.Duration) map[string][]byte {
	t.Helper()
	data, err := issue("headgate.headgate-system.svc", lifetime)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func newMounted(t *testing.T, data map[string][]byte) (m *Mounted, dir string) {
	t.Helper()
	dir = t.TempDir()
	mount(t, dir, data)
	m, err := NewMounted(dir, "headgate", "headgate-system")
	if err != nil {
		t.Fatal(err)
	}
	return m, dir
}

// served is the certificate that a client of a server with m is shown.
func served(t *testing.T, m *Mounted) []byte {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: m.GetCertificate})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Raw
}

func leafOf(t *testing.T, data map[string][]byte) []byte {
	t.Helper()
	pair, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		t.Fatal(err)
	}
	return pair.Certificate[0]
}

// The process does not restart when cert-manager has renewed the certificate, and goes on with
// the last good one if what is mounted cannot be read.
func TestMountedCertificateIsRotated(t *testing.T) {
	before, after := newPair(t, time.Hour), newPair(t, time.Hour)
	m, dir := newMounted(t, before)
	m.watcher.WithWatchInterval(10 * time.Millisecond)
	go func() {
		if err := m.watcher.Start(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if !bytes.Equal(served(t, m), leafOf(t, before)) {
		t.Fatal("the mounted certificate is not served")
	}
	mount(t, dir, map[string][]byte{corev1.TLSCertKey: []byte("no certificate"), corev1.TLSPrivateKeyKey: nil})
	time.Sleep(100 * time.Millisecond) // ten times the interval
	if !bytes.Equal(served(t, m), leafOf(t, before)) {
		t.Fatal("the certificate is gone because another one cannot be read")
	}
	mount(t, dir, after)
	for deadline := time.Now().Add(20 * time.Second); !bytes.Equal(served(t, m), leafOf(t, after)); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not served")
		}
	}
	if err := m.Check(nil); err != nil {
		t.Error(err)
	}
}

func TestMountedCertificateThatIsOfNoUse(t *testing.T) {
	_, err := NewMounted(t.TempDir(), "headgate", "headgate-system")
	if err == nil || !strings.Contains(err.Error(), "its Secret is mounted at") {
		t.Errorf("without files: %v", err)
	}
	expired, _ := newMounted(t, newPair(t, -time.Minute))
	if err := expired.Check(nil); err == nil || !strings.Contains(err.Error(), "expired at") {
		t.Errorf("expired: %v", err)
	}
	foreign, dir := newMounted(t, newPair(t, time.Hour))
	foreign.host = hostOf("other", "headgate-system")
	if err := foreign.Check(nil); err == nil || !strings.Contains(err.Error(), "other.headgate-system.svc") {
		t.Errorf("for another Service (in %s): %v", dir, err)
	}
}

func TestMetricsOfTheCertificate(t *testing.T) {
	m, _ := newMounted(t, newPair(t, time.Hour))
	leaf, err := m.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	got := gather(t, m.GetCertificate)
	if want := float64(leaf.Leaf.NotAfter.Unix()); got["headgate_certificate_end_timestamp_seconds"] != want {
		t.Errorf("got %v, want the end %v", got, want)
	}
	if want := float64(leaf.Leaf.NotBefore.Unix()); got["headgate_certificate_begin_timestamp_seconds"] != want {
		t.Errorf("got %v, want the begin %v", got, want)
	}
	if got := gather(t, (&Keeper{}).GetCertificate); len(got) > 0 {
		t.Errorf("without a certificate there is %v", got)
	}
}

func gather(t *testing.T, m Metrics) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		values[family.GetName()] = family.GetMetric()[0].GetGauge().GetValue()
	}
	return values
}
