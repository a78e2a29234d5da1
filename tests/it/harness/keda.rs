//! KEDA as a client: it asks, it opens streams, and it comes back as KEDA does.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use tokio::time::timeout;
use tonic::{Request, Status, Streaming, transport::Channel};

use super::{gateway::Gateway, wait::PATIENCE};

/// The client half of `proto/externalscaler.proto`, made by `build.rs`.
#[allow(
    clippy::all,
    clippy::clone_on_ref_ptr,
    clippy::str_to_string,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "nobody writes it"
)]
pub(crate) mod wire {
    include!(concat!(env!("OUT_DIR"), "/client/externalscaler.rs"));
}

use wire::{
    GetMetricsRequest, IsActiveResponse, MetricSpec, MetricValue, ScaledObjectRef,
    external_scaler_client::ExternalScalerClient,
};

/// One trigger of KEDA with a connection of its own.
#[derive(Clone)]
pub(crate) struct Keda {
    client: ExternalScalerClient<Channel>,
    metadata: HashMap<String, String>,
}

impl Keda {
    /// A trigger for that group.
    pub(crate) async fn of(gateway: &Gateway, group: &str) -> Self {
        Self::at(scaler(gateway), &[("routingGroup", group)]).await
    }

    /// A trigger with these metadata and KEDA's own.
    pub(crate) async fn at(scaler: SocketAddr, metadata: &[(&str, &str)]) -> Self {
        let channel = Channel::from_shared(format!("http://{scaler}")).unwrap();
        Self::over(channel.connect().await.expect("it accepts"), metadata)
    }

    pub(crate) fn over(channel: Channel, metadata: &[(&str, &str)]) -> Self {
        let own = [("scalerAddress", "sluice-scaler:9092")];
        let pairs = metadata.iter().chain(&own);
        let metadata = pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self { client: ExternalScalerClient::new(channel), metadata }
    }

    fn object(&self) -> ScaledObjectRef {
        ScaledObjectRef {
            name: "workers".to_owned(),
            namespace: "trino".to_owned(),
            scaler_metadata: self.metadata.clone(),
        }
    }

    pub(crate) async fn is_active(&self) -> Result<bool, Status> {
        let answer = self.client.clone().is_active(self.object()).await?;
        Ok(answer.into_inner().result)
    }

    pub(crate) async fn spec(&self) -> Result<Vec<MetricSpec>, Status> {
        let answer = self.client.clone().get_metric_spec(self.object()).await?;
        Ok(answer.into_inner().metric_specs)
    }

    pub(crate) async fn metric(&self, name: &str) -> Result<Vec<MetricValue>, Status> {
        let question = GetMetricsRequest {
            scaled_object_ref: Some(self.object()),
            metric_name: name.to_owned(),
        };
        let answer = self.client.clone().get_metrics(question).await?;
        Ok(answer.into_inner().metric_values)
    }

    /// The demand, as the autoscaler reads it.
    pub(crate) async fn demand(&self) -> Result<f64, Status> {
        Ok(self.metric("demand").await?.iter().map(|value| value.metric_value_float).sum())
    }

    pub(crate) async fn spec_stream(&self) -> Result<(), Status> {
        self.client.clone().stream_metric_spec(self.object()).await.map(|_| ())
    }

    pub(crate) async fn open(&self) -> Result<Events, Status> {
        let answer = self.client.clone().stream_is_active(Request::new(self.object())).await?;
        Ok(Events(answer.into_inner()))
    }
}

/// Where the scaler of a gateway listens.
pub(crate) fn scaler(gateway: &Gateway) -> SocketAddr {
    gateway.addresses.scaler.expect("the scaler is enabled")
}

/// An open stream.
pub(crate) struct Events(Streaming<IsActiveResponse>);

impl Events {
    /// The next frame; `None` after an end with status OK.
    pub(crate) async fn next(&mut self) -> Result<Option<bool>, Status> {
        let frame = timeout(PATIENCE, self.0.message()).await.expect("a frame in time")?;
        Ok(frame.map(|frame| frame.result))
    }

    /// Whether nothing is said within that time.
    pub(crate) async fn is_quiet(&mut self, within: Duration) -> bool {
        timeout(within, self.0.message()).await.is_err()
    }
}
