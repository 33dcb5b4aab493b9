package main

import (
	"crypto/tls"
	"net/http"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/certs"
)

// certificate is the serving certificate of the webhook.
type certificate interface {
	CacheOptions() map[client.Object]cache.ByObject
	SetupWithManager(ctrl.Manager) error
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Check(*http.Request) error
}

// newCertificate returns the certificate that somebody else mounts, or the one that Headgate
// keeps itself.
func newCertificate(cfg Config) (certificate, error) {
	if cfg.CertDir != "" {
		return certs.NewMounted(cfg.CertDir, cfg.WebhookService, cfg.Namespace)
	}
	return &certs.Keeper{
		Secret:               types.NamespacedName{Namespace: cfg.Namespace, Name: cfg.CertSecret},
		WebhookConfiguration: cfg.WebhookConfiguration,
		Service:              cfg.WebhookService,
	}, nil
}
