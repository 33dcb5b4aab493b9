package cloudwatch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signerv4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/headgate/headgate/analysis/provider"
)

// credentialsFor returns where keys come from: the files of the entry, or the role of
// Headgate's pod, as EKS Pod Identity or IAM Roles for Service Accounts give it. The keys
// of the node are not used: they would be those of every pod there.
func credentialsFor(e provider.Entry, s settings) (aws.CredentialsProvider, error) {
	if s.AccessKeyIDFile != "" || s.SecretAccessKeyFile != "" {
		if s.AccessKeyIDFile == "" || s.SecretAccessKeyFile == "" {
			return nil, errors.New("accessKeyIDFile and secretAccessKeyFile belong together: " +
				"write for example accessKeyIDFile: aws-id and secretAccessKeyFile: aws-secret")
		}
		return keyFiles{id: e.File(s.AccessKeyIDFile), secret: e.File(s.SecretAccessKeyFile), token: e.File(s.SessionTokenFile)}, nil
	}
	if endpoint := os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"); endpoint != "" {
		return aws.NewCredentialsCache(endpointcreds.New(endpoint, func(o *endpointcreds.Options) {
			if file := os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
				o.AuthorizationTokenProvider = endpointcreds.TokenProviderFunc(func() (string, error) { return provider.ReadSecret(file) })
			}
		})), nil
	}
	role, token := os.Getenv("AWS_ROLE_ARN"), os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE")
	if role != "" && token != "" {
		client := sts.New(sts.Options{Region: s.Region})
		return aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(client, role, stscreds.IdentityTokenFile(token))), nil
	}
	return nil, errors.New("there are no credentials: write accessKeyIDFile and secretAccessKeyFile, " +
		"or give Headgate's ServiceAccount a role by EKS Pod Identity or IRSA")
}

// keyFiles reads keys from files, again for each request.
type keyFiles struct{ id, secret, token string }

func (k keyFiles) Retrieve(context.Context) (aws.Credentials, error) {
	var c aws.Credentials
	var err error
	if c.AccessKeyID, err = provider.ReadSecret(k.id); err != nil {
		return aws.Credentials{}, err
	}
	if c.SecretAccessKey, err = provider.ReadSecret(k.secret); err != nil {
		return aws.Credentials{}, err
	}
	if k.token != "" {
		if c.SessionToken, err = provider.ReadSecret(k.token); err != nil {
			return aws.Credentials{}, err
		}
	}
	return c, nil
}

// signing signs every request for CloudWatch.
type signing struct {
	next        http.RoundTripper
	credentials aws.CredentialsProvider
	signer      *signerv4.Signer
	region      string
	now         func() time.Time
}

func newSigner(next http.RoundTripper, credentials aws.CredentialsProvider, region string, now func() time.Time) signing {
	return signing{next, credentials, signerv4.NewSigner(), region, now}
}

// RoundTrip sends req with a signature. It is for requests of provider.Client, whose body
// can be read twice.
func (s signing) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if err := s.sign(req); err != nil {
		req.Body.Close() // a RoundTripper closes it in every case
		return nil, err
	}
	return s.next.RoundTrip(req)
}

func (s signing) sign(req *http.Request) error {
	keys, err := s.credentials.Retrieve(req.Context())
	if err != nil {
		return explain(err)
	}
	body, err := req.GetBody()
	if err != nil {
		return err
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	hash := sha256.Sum256(content)
	return s.signer.SignHTTP(req.Context(), keys, req, hex.EncodeToString(hash[:]), "monitoring", s.region, s.now())
}

// explain leaves out of an error of the SDK what differs each time, such as the id of the
// request. The message of a condition must not change while nothing happens.
func explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return file
	}
	if refused, ok := errors.AsType[smithy.APIError](err); ok && refused.ErrorCode() != "" {
		return errors.New("AWS gives no credentials to the role of Headgate: " + refused.ErrorCode())
	}
	return errors.New("what gives credentials to the role of Headgate does not answer")
}
