// Jaeger as a program: go.sum is the upstream's, and so is the replacement.
module sluice.test/jaeger

go 1.26.0

require github.com/jaegertracing/jaeger v1.76.0

replace github.com/Shopify/sarama => github.com/Shopify/sarama v1.33.0
