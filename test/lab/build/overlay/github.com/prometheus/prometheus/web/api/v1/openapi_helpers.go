// See openapi.go.

package v1
