//! The crates that come with actix-web: files, sessions, CORS, multipart forms.

use actix_cors::Cors;
use actix_files::Files;
use actix_multipart::Multipart;
use actix_session::storage::CookieSessionStore;
use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::{App, HttpResponse, web};
use anyhost_actix::{Application, BoxedApp};
use anyhost_core::{Body, Error, Host, async_trait};
use futures_util::{StreamExt, TryStreamExt};
use http::Method;

use crate::{RunningApp, get, host, post, text, with};

struct Site {
    folder: String,
    key: Key,
}

#[async_trait]
impl Application for Site {
    async fn start(host: &Host) -> Result<Self, Error> {
        let folder = host.settings().text("FOLDER").unwrap_or_default().to_owned();
        Ok(Self { folder, key: Key::generate() })
    }

    fn app(&self) -> BoxedApp {
        App::new()
            .wrap(SessionMiddleware::new(CookieSessionStore::default(), self.key.clone()))
            .wrap(Cors::default().allowed_origin("https://shop.example").allowed_methods(["PUT"]))
            .service(Files::new("/files", &self.folder).index_file("index.html"))
            .route("/visits", web::get().to(visits))
            .route("/upload", web::post().to(upload))
            .into()
    }
}

async fn visits(session: Session) -> Result<HttpResponse, actix_web::Error> {
    let visits = session.get::<u32>("visits")?.unwrap_or_default() + 1;
    session.insert("visits", visits)?;
    Ok(HttpResponse::Ok().body(visits.to_string()))
}

async fn upload(mut form: Multipart) -> Result<HttpResponse, actix_web::Error> {
    let mut said = String::new();
    while let Some(mut field) = form.try_next().await? {
        let mut length = 0;
        while let Some(chunk) = field.next().await {
            length += chunk?.len();
        }
        said.push_str(&format!("{}={length};", field.name().unwrap_or_default()));
    }
    Ok(HttpResponse::Ok().body(said))
}

async fn site() -> (RunningApp<Site>, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("index.html"), "<p>index").expect("writable");
    std::fs::write(folder.path().join("big.bin"), vec![b'x'; 1 << 20]).expect("writable");
    let path = folder.path().display().to_string();
    (RunningApp::on(host(1, &[("FOLDER", &path)])).await, folder)
}

#[tokio::test]
async fn files_are_sent_whole_in_part_and_not_again() {
    let (site, _folder) = site().await;
    let index = site.get("/files/").await;
    assert_eq!(index.headers()["content-type"], "text/html; charset=utf-8");
    let tag = index.headers()["etag"].to_str().expect("text").to_owned();
    assert_eq!(text(index).await, "<p>index");
    assert_eq!(site.send(with(get("/files/"), "if-none-match", &tag)).await.status(), 304);

    let big = site.get("/files/big.bin").await;
    assert_eq!(big.body().len(), Some(1 << 20));
    assert_eq!(text(big).await.len(), 1 << 20);
    let part = site.send(with(get("/files/big.bin"), "range", "bytes=10-19")).await;
    assert_eq!((part.status().as_u16(), part.body().len()), (206, Some(10)));
    assert_eq!(text(part).await, "xxxxxxxxxx");
    let mut head = get("/files/big.bin");
    *head.method_mut() = Method::HEAD;
    assert_eq!(site.send(head).await.headers()["content-length"], "1048576");
    assert_eq!(site.get("/files/none").await.status(), 404);
    assert_eq!(site.get("/files/../../etc/passwd").await.status(), 404);
}

#[tokio::test]
async fn a_session_lives_in_its_cookie() {
    let (site, _folder) = site().await;
    let mut cookie = String::new();
    for visit in 1..=3 {
        let response = site.send(with(get("/visits"), "cookie", &cookie)).await;
        let set = response.headers()["set-cookie"].to_str().expect("text").to_owned();
        assert!(set.contains("Secure"), "{set}");
        cookie = set.split(';').next().unwrap_or_default().to_owned();
        assert_eq!(text(response).await, visit.to_string());
    }
}

#[tokio::test]
async fn a_preflight_is_answered() {
    let (site, _folder) = site().await;
    let asks = |origin| {
        let mut request = with(get("/visits"), "origin", origin);
        *request.method_mut() = Method::OPTIONS;
        with(request, "access-control-request-method", "PUT")
    };
    let allowed = site.send(asks("https://shop.example")).await;
    assert_eq!(allowed.status(), 200);
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://shop.example");
    let refused = site.send(asks("https://evil.example")).await;
    assert!(!refused.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_multipart_form_is_read_as_it_comes() {
    let (site, _folder) = site().await;
    let field = |name: &str, bytes: &str| {
        format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{bytes}\r\n")
    };
    let form = field("a", "small") + &field("b", &"x".repeat(1 << 20)) + "--cut--\r\n";
    let chunks: Vec<_> = form.into_bytes().chunks(1000).map(<[u8]>::to_vec).collect();
    let chunks = futures_util::stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>));
    let request = post("/upload", "multipart/form-data; boundary=cut", Body::stream(chunks));
    assert_eq!(text(site.send(request).await).await, "a=5;b=1048576;");
}
