package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// GetCertificate returns the certificate that this replica serves, for tls.Config.
// An open connection keeps the certificate it started with.
func (k *Keeper) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert := k.served.Load()
	if cert == nil {
		return nil, errors.New("no serving certificate yet")
	}
	return cert, nil
}

// Check is a readiness check. It returns nil if the API server would accept the
// certificate that this replica serves. It reads from the cache only.
func (k *Keeper) Check(req *http.Request) error {
	cert, err := k.GetCertificate(nil)
	if err != nil {
		return err
	}
	config, err := k.configuration(req.Context())
	if err != nil {
		return err
	}
	if config == nil {
		return fmt.Errorf("MutatingWebhookConfiguration %q does not exist, so no template is held (helm upgrade restores it)",
			k.WebhookConfiguration)
	}
	bundles := make([][]byte, len(config.Webhooks))
	for i := range config.Webhooks {
		bundles[i] = config.Webhooks[i].ClientConfig.CABundle
	}
	if err := verifyAll(cert, bundles, k.host(), time.Now()); err != nil {
		return fmt.Errorf("MutatingWebhookConfiguration %q does not trust the serving certificate: %w", k.WebhookConfiguration, err)
	}
	return nil
}
