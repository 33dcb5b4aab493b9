package certs

import (
	"bytes"
	"crypto/tls"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	certutil "k8s.io/client-go/util/cert"
)

const host = "headgate.headgate-system.svc"

func issued(t *testing.T, lifetime time.Duration) *tls.Certificate {
	t.Helper()
	data, err := issue(host, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestVerify(t *testing.T) {
	cert, other := issued(t, time.Hour), issued(t, time.Hour)
	issuedAt := cert.Leaf.NotAfter.Add(-time.Hour)
	both := append(authority(other), authority(cert)...)
	for name, tc := range map[string]struct {
		bundle []byte
		host   string
		after  time.Duration
		want   string
	}{
		"its own CA is enough":             {authority(cert), host, 0, ""},
		"its CA may be any of several":     {both, host, 0, ""},
		"it was good before it was issued": {authority(cert), host, -30 * time.Minute, ""},
		"an empty bundle trusts nothing":   {nil, host, 0, "the CA bundle is empty"},
		"another CA is not enough":         {authority(other), host, 0, "x509: certificate signed by unknown authority"},
		"it is for one name": {
			authority(cert), "web.shop.svc", 0, "x509: certificate is valid for " + host + ", not web.shop.svc",
		},
		"it is good until just before its end":  {authority(cert), host, time.Hour - time.Second, ""},
		"it is not good a second after its end": {authority(cert), host, time.Hour + time.Second, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			err := verify(cert, tc.bundle, tc.host, issuedAt.Add(tc.after))
			if (err == nil) != (tc.want == "") || err != nil && !bytes.Contains([]byte(err.Error()), []byte(tc.want)) {
				t.Errorf("verify: %v, want %q", err, tc.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	good, err := issue(host, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	other, err := issue(host, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	alone, _ := certutil.ParseCertsPEM(good[corev1.TLSCertKey])
	for name, tc := range map[string]struct {
		crt, key []byte
		want     string
	}{
		"nothing": {nil, nil, "the Secret has no certificate yet"},
		"not PEM": {
			[]byte("?"), good[corev1.TLSPrivateKeyKey],
			"reading the pair: tls: failed to find any PEM data in certificate input",
		},
		"the key of another": {
			good[corev1.TLSCertKey], other[corev1.TLSPrivateKeyKey],
			"reading the pair: tls: private key does not match public key",
		},
		"a certificate alone": {
			encode(alone[0].Raw), good[corev1.TLSPrivateKeyKey],
			"tls.crt holds 1 certificates, want the certificate and its CA",
		},
		"what issue wrote":       {good[corev1.TLSCertKey], good[corev1.TLSPrivateKeyKey], ""},
		"what issue wrote again": {other[corev1.TLSCertKey], other[corev1.TLSPrivateKeyKey], ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(map[string][]byte{corev1.TLSCertKey: tc.crt, corev1.TLSPrivateKeyKey: tc.key})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("parse: %q, want %q", got, tc.want)
			}
		})
	}
}

func TestExtend(t *testing.T) {
	newCA := func() []byte { return authority(issued(t, time.Hour)) }
	a, b, c, d := newCA(), newCA(), newCA(), newCA()
	expired := authority(issued(t, -time.Minute))
	join := func(cas ...[]byte) []byte { return bytes.Join(cas, nil) }
	for name, tc := range map[string]struct{ bundle, ca, want []byte }{
		"an empty bundle becomes the CA":             {nil, a, a},
		"a bundle that is no PEM is replaced":        {[]byte("Cg=="), a, a},
		"the old CA stays, behind the new":           {a, b, join(b, a)},
		"a CA that is in the bundle changes nothing": {join(b, a), a, join(b, a)},
		"an expired CA is removed, the others stay":  {join(expired, a), b, join(b, a)},
		"the oldest of three is removed":             {join(c, b, a), d, join(d, c, b)},
	} {
		t.Run(name, func(t *testing.T) {
			got := extend(tc.bundle, tc.ca, time.Now())
			if !bytes.Equal(got, tc.want) {
				t.Errorf("got %d bytes:\n%s\nwant:\n%s", len(got), got, tc.want)
			}
			if again := extend(got, tc.ca, time.Now()); !bytes.Equal(again, got) {
				t.Error("a second time changes the bundle again")
			}
		})
	}
}
