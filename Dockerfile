FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=dev
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /headgate ./cmd/headgate

FROM gcr.io/distroless/static:nonroot
# In the PATH of the base image, so that "kubectl exec ... -- headgate cleanup" finds it.
COPY --from=build /headgate /usr/local/bin/headgate
# As a number: the kubelet cannot check runAsNonRoot for a user name.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/headgate"]
