package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	certutil "k8s.io/client-go/util/cert"
)

// backdated is how long before now client-go starts a certificate. Its MaxAge counts
// from there: for a certificate that ends in 365 days, MaxAge is 365 days and 1 hour.
const backdated = time.Hour

// keptAuthorities is the largest number of CAs in a bundle: the new CA, and the CAs
// of certificates that replicas may still serve. With 3, a replica that serves the
// first certificate stays trusted after the Secret is emptied twice in a row.
const keptAuthorities = 3

// issue makes a certificate for host that ends lifetime from now, signed by a new
// CA. It returns both as the data of a Secret.
func issue(host string, lifetime time.Duration) (map[string][]byte, error) {
	chain, key, err := certutil.GenerateSelfSignedCertKeyWithOptions(certutil.SelfSignedCertKeyOptions{
		Host:   host,
		MaxAge: lifetime + backdated,
	})
	return map[string][]byte{corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: key}, err
}

// parse reads what issue wrote. Its error says why data is no certificate.
func parse(data map[string][]byte) (*tls.Certificate, error) {
	if len(data[corev1.TLSCertKey]) == 0 {
		return nil, errors.New("the Secret has no certificate yet")
	}
	cert, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, fmt.Errorf("reading the pair: %w", err)
	}
	if len(cert.Certificate) != 2 {
		return nil, fmt.Errorf("%s holds %d certificates, want the certificate and its CA", corev1.TLSCertKey, len(cert.Certificate))
	}
	return &cert, nil
}

// authority returns the CA of a parsed certificate as a bundle.
func authority(cert *tls.Certificate) []byte {
	return encode(cert.Certificate[1])
}

// encode writes certificates, each in DER, one after the other as PEM.
func encode(certificates ...[]byte) []byte {
	var out []byte
	for _, der := range certificates {
		// The only possible error is about PEM headers, and there are none.
		block, _ := certutil.EncodeCertificates(&x509.Certificate{Raw: der})
		out = append(out, block...)
	}
	return out
}

// extend returns bundle with ca in it. A bundle that has ca already is returned
// unchanged, whatever else it has: two replicas that have different certificates for
// a moment must not overwrite each other in turn. Otherwise ca comes first, then the
// newest of the others that have not expired, keptAuthorities in all. Example:
// [c b a] and the new ca d give [d c b]; if c has expired, they give [d b a].
func extend(bundle, ca []byte, now time.Time) []byte {
	wanted, err := certutil.ParseCertsPEM(ca)
	if err != nil {
		return bundle
	}
	keep := [][]byte{wanted[0].Raw}
	others, _ := certutil.ParseCertsPEM(bundle) // an unreadable bundle counts as empty
	for _, other := range others {
		if other.Equal(wanted[0]) {
			return bundle
		}
		if now.Before(other.NotAfter) && len(keep) < keptAuthorities {
			keep = append(keep, other.Raw)
		}
	}
	return encode(keep...)
}

// verify returns why an API server with bundle does not accept cert for host at
// time at; nil if it does.
func verify(cert *tls.Certificate, bundle []byte, host string, at time.Time) error {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bytes.TrimSpace(bundle)) {
		return errors.New("the CA bundle is empty")
	}
	_, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: pool, CurrentTime: at})
	return err
}

// verifyAll is verify for every bundle. Without any bundle it returns an error.
func verifyAll(cert *tls.Certificate, bundles [][]byte, host string, at time.Time) error {
	if len(bundles) == 0 {
		return errors.New("the configuration has no webhook")
	}
	for _, bundle := range bundles {
		if err := verify(cert, bundle, host, at); err != nil {
			return err
		}
	}
	return nil
}
