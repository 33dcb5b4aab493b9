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

// backdated is how far before now client-go lets a certificate begin, and its
// MaxAge with it.
const backdated = time.Hour

// keptAuthorities bounds a bundle: the new CA, and those that replicas may still
// serve under. Three survive a Secret that is emptied twice in a row.
const keptAuthorities = 3

// issue makes a certificate for host that ends lifetime from now, with a CA of
// its own, as the data of a Secret.
func issue(host string, lifetime time.Duration) (map[string][]byte, error) {
	chain, key, err := certutil.GenerateSelfSignedCertKeyWithOptions(certutil.SelfSignedCertKeyOptions{
		Host:   host,
		MaxAge: lifetime + backdated,
	})
	return map[string][]byte{corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: key}, err
}

// parse reads what issue wrote.
func parse(data map[string][]byte) (*tls.Certificate, error) {
	if len(data[corev1.TLSCertKey]) == 0 {
		return nil, errors.New("there is none yet")
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

func encode(certificates ...[]byte) []byte {
	var out []byte
	for _, der := range certificates {
		// The only error is about unencodable headers, and there are none.
		block, _ := certutil.EncodeCertificates(&x509.Certificate{Raw: der})
		out = append(out, block...)
	}
	return out
}

// extend returns bundle with ca in it. A bundle that has ca is returned as it
// is, even with others beside it: two replicas that hold different certificates
// for a moment must not overwrite each other in turn. Otherwise ca goes to the
// front, and the newest of the unexpired others stay.
func extend(bundle, ca []byte, now time.Time) []byte {
	wanted, err := certutil.ParseCertsPEM(ca)
	if err != nil {
		return bundle
	}
	keep := [][]byte{wanted[0].Raw}
	others, _ := certutil.ParseCertsPEM(bundle) // an unreadable bundle is as good as none
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

// verify says why an API server with bundle would not accept cert for host.
func verify(cert *tls.Certificate, bundle []byte, host string, at time.Time) error {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bytes.TrimSpace(bundle)) {
		return errors.New("the CA bundle is empty")
	}
	_, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: pool, CurrentTime: at})
	return err
}

// trusted is verify for all bundles. No bundle at all trusts nobody.
func trusted(cert *tls.Certificate, bundles [][]byte, host string, at time.Time) error {
	if len(bundles) == 0 {
		return errors.New("there is no webhook to call")
	}
	for _, bundle := range bundles {
		if err := verify(cert, bundle, host, at); err != nil {
			return err
		}
	}
	return nil
}
