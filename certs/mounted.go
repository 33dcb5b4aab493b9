package certs

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Mounted is a certificate that somebody else renews, such as cert-manager: the files tls.crt
// and tls.key of a mounted Secret. It writes nothing and needs no permission. The files are
// read again when they change, and every 10 seconds. What cannot be read leaves the
// certificate before it.
type Mounted struct {
	watcher *certwatcher.CertWatcher
	host    string
}

// NewMounted reads the certificate in dir. Service and namespace are those that API servers call.
func NewMounted(dir, service, namespace string) (*Mounted, error) {
	watcher, err := certwatcher.New(filepath.Join(dir, corev1.TLSCertKey), filepath.Join(dir, corev1.TLSPrivateKeyKey))
	if err != nil {
		return nil, fmt.Errorf("reading the serving certificate (its Secret is mounted at %s): %w", dir, err)
	}
	return &Mounted{watcher: watcher, host: hostOf(service, namespace)}, nil
}

// CacheOptions restricts a cache to what Mounted reads from it, which is nothing.
func (*Mounted) CacheOptions() map[client.Object]cache.ByObject { return nil }

// SetupWithManager makes every replica, leader or not, watch the files.
func (m *Mounted) SetupWithManager(mgr ctrl.Manager) error { return mgr.Add(m.watcher) }

// GetCertificate returns the certificate that this replica serves, for tls.Config.
func (m *Mounted) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return m.watcher.GetCertificate(hello)
}

// Check is a readiness check. It returns nil if the certificate is for the Service and has not
// expired. Whether the API server trusts it is up to who renews it.
func (m *Mounted) Check(*http.Request) error {
	cert, err := m.GetCertificate(nil)
	if err != nil {
		return err
	}
	if err := cert.Leaf.VerifyHostname(m.host); err != nil {
		return fmt.Errorf("the mounted certificate: %w", err)
	}
	if now := time.Now(); now.After(cert.Leaf.NotAfter) {
		return fmt.Errorf("the mounted certificate expired at %s: see who renews it, e.g. kubectl get certificates",
			cert.Leaf.NotAfter.Format(time.RFC3339))
	}
	return nil
}
