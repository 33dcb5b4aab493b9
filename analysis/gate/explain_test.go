package gate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestExplainSaysNothingThatChanges(t *testing.T) {
	refused := &net.OpError{Op: "dial", Addr: &net.TCPAddr{Port: 443}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	reset := &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	unknown := &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "gate.example.com", Server: "10.96.0.10:53"}}
	expired := x509.CertificateInvalidError{
		Cert: &x509.Certificate{}, Reason: x509.Expired,
		Detail: "current time 2026-11-23T10:00:00Z is after 2026-01-01T00:00:00Z",
	}
	notAuthority := x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.NotAuthorizedToSign}
	unverified := func(err error) error { return &tls.CertificateVerificationError{Err: err} }
	for want, err := range map[string]error{
		"timed out after 10s":                                            context.DeadlineExceeded,
		"the server closed the connection":                               io.EOF,
		"connection refused":                                             refused,
		"connection reset by peer":                                       reset,
		"no such host":                                                   unknown,
		"tls: handshake failure":                                         &net.OpError{Op: "remote error", Err: tls.AlertError(40)},
		"the certificate has expired or is not valid yet":                unverified(expired),
		"x509: certificate signed by unknown authority":                  unverified(x509.UnknownAuthorityError{}),
		"the connection failed or the answer was not HTTP":               errors.New("malformed HTTP response \"\\x15\\x03\\x01\""),
		"x509: certificate is not authorized to sign other certificates": unverified(notAuthority),
	} {
		t.Run(want, func(t *testing.T) {
			if got := explain(&url.Error{Op: "Post", URL: exampleURL, Err: err}, 10*time.Second); got != want {
				t.Errorf("explain(%v) = %q", err, got)
			}
		})
	}
}
