//! VPC Lattice, event version 2.0: path and query as the client wrote them, arrays of values.

use super::json::Object;
use super::{Source, answer, front};
use crate::{Facts, Request, Response};

const HOST: &str = "shop-0a40eebed65f8d69c.7d67968.vpc-lattice-svcs.eu-west-1.on.aws";

/// A target group of VPC Lattice.
#[derive(Clone, Copy, Debug)]
pub struct Lattice;

impl Source for Lattice {
    fn facts(&self) -> Facts {
        Facts { client_ip: Some(front::CLIENT), scheme: "https", host: HOST, adds: front::ADDS }
    }

    fn event(&self, request: &Request) -> String {
        let headers = front::lowercased(front::headers(request, HOST, "https"));
        let query = front::all(&front::query(request));
        let (body, is_base64) = front::text_or_base64(request);
        let body = Some(body).filter(|body| !body.is_empty());
        let arn = "arn:aws:vpc-lattice:eu-west-1:123456789012";
        let vpc = "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-0b8276c84697e7339";
        let identity = Object::new().with("sourceVpcArn", vpc).with("type", "NONE");
        let context = Object::new()
            .with("serviceNetworkArn", format!("{arn}:servicenetwork/sn-0bf3f2882e9cc805a"))
            .with("serviceArn", format!("{arn}:service/svc-0a40eebed65f8d69c"))
            .with("targetGroupArn", format!("{arn}:targetgroup/tg-6d0ecf831eec9f09"))
            .with_object("identity", identity)
            .with("region", "eu-west-1")
            .with("timeEpoch", "1795204800000000");
        Object::new()
            .with("version", "2.0")
            .with("path", request.path())
            .with("method", &request.method)
            .with_map("headers", &front::all(&headers))
            .with_map("queryStringParameters", &query)
            .with("isBase64Encoded", is_base64 && body.is_some())
            .with("body", body)
            .with_object("requestContext", context)
            .end()
    }

    fn answer(&self, bytes: &[u8]) -> Result<Response, String> {
        answer::lattice(bytes)
    }
}
